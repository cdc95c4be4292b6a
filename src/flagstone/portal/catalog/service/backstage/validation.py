"""Validating a document that somebody has in hand, told in the words of the Backstage API."""

from __future__ import annotations

import json
import re
from typing import Any

from flagstone.foundation.access import AccessService
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError
from flagstone.portal.catalog.model.documents import ref_of
from flagstone.portal.catalog.service.documents import Found
from flagstone.portal.catalog.service.ingest import IngestService

_LOCATION = re.compile(r"url:\s*\S+://\S+")
_ROOT = ("apiVersion", "kind", "metadata", "spec")
_WORDS = {"a text": "string", "a list": "array", "an object": "object", "true or false": "boolean"}


class BackstageValidation:
    """Reads what the document refers to; writes nothing."""

    def __init__(self, ingest: IngestService, access: AccessService) -> None:
        self._ingest = ingest
        self._access = access

    def faults(self, principal: Principal, entity: dict[str, Any], location: str) -> list[str]:
        """What is wrong with an entity that would stand at a location; nothing: it is valid."""
        if not _LOCATION.fullmatch(location.strip()):
            return [f"Invalid location '{location:.200}': it must be a url"]
        target = location.partition(":")[2].strip()
        metadata = entity.get("metadata")
        if isinstance(metadata, dict):
            kept = {key: value for key, value in metadata.items() if key not in ("uid", "etag")}
            entity = {**entity, "metadata": kept}
        parsed = self._ingest.read_document("url", target, json.dumps(entity).encode())
        faults = [_told(found, entity) for found in parsed.problems]
        if not faults and parsed.children:
            self._access.check(principal, "catalog.location.create", resource=location)
            for child in parsed.children:
                try:
                    self._ingest.look(child.type, child.target)
                except FlagstoneError as error:
                    if child.presence != "optional":
                        faults.append(f"{child.type}:{child.target}: {error.message}")
        return faults


def _told(found: Found, entity: dict[str, Any]) -> str:
    problem = found.problem
    field = re.sub(r"\[(\d+)\]", r".\1", problem.field or "")
    message = problem.message
    if found.code == "catalog.unknown_kind":
        return f"No processor recognized the entity {ref_of(entity) or '?'} as valid, possibly caused by: {message}"
    if found.code == "catalog.kind_schema":
        where = "/" + field.replace(".", "/")
        if message.endswith(" is missing."):
            parent, _, name = where.rpartition("/")
            return f"{parent or '/'} must have required property '{name}': {message}"
        wanted = next((word for text, word in _WORDS.items() if f"must be {text}" in message), None)
        return f"{where} must be {wanted}: {message}" if wanted else f"{where}: {message}"
    if field in entity and field not in _ROOT:
        return f"must NOT have additional properties ({field}): {message}"
    if found.code == "catalog.bad_ref":
        return f'{field}: Entity reference "{_at(entity, field)}" is not valid, or has no kind: {message}'
    return f"{field}: {message}" if field else message


def _at(entity: Any, field: str) -> str:
    value = entity
    for part in field.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return ""
    return str(value)[:200]
