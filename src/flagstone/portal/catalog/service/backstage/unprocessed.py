"""What was read and did not become an entity, as Backstage's module for unprocessed entities tells it.

A document with a fault is not kept: what is told of it is its name, where it stands and what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Invalid
from flagstone.kernel.refs import parse_ref
from flagstone.portal.catalog.model import CatalogProblem
from flagstone.portal.catalog.store import CatalogStore
from flagstone.portal.catalog.store.origins import document, generated_name

_AT_ONCE = 500
_MOST = 2_000


class BackstageUnprocessed:
    """Answers from the problems and the locations."""

    def __init__(self, store: CatalogStore, access: AccessService, audit: AuditLog) -> None:
        self._store = store
        self._access = access
        self._audit = audit

    def failed(self) -> list[dict[str, Any]]:
        """Documents with faults of which no earlier state is in the catalog."""
        groups: dict[tuple[str, str], list[CatalogProblem]] = {}
        for problem in self._errors():
            place = problem.entity_ref or f"{problem.file or ''}:{problem.line or ''}"
            groups.setdefault((problem.location_id, place), []).append(problem)
        refs = {item.entity_ref for items in groups.values() for item in items if item.entity_ref}
        there = self._store.reader.entities(refs)
        locations = {item.id: item for item in self._store.locations.by_ids({id_ for id_, _ in groups})}
        found = []
        for (location_id, _), items in groups.items():
            first = items[0]
            if first.entity_ref in there or location_id not in locations:
                continue
            location = locations[location_id]
            told = _document(first, location.type, location.target)
            found.append(
                {
                    "entity_id": first.id,
                    "entity_ref": first.entity_ref or _ref(told),
                    "unprocessed_entity": told,
                    "unprocessed_hash": "",
                    "next_update_at": location.next_read_at.isoformat(),
                    "last_discovery_at": first.at.isoformat(),
                    "location_key": location.ref,
                    "errors": [_error(item) for item in items],
                }
            )
        return found

    def pending(self) -> list[dict[str, Any]]:
        """Locations that were not read yet."""
        return [
            {
                "entity_id": location.id,
                "entity_ref": f"location:default/{generated_name(location.type, location.target)}",
                "unprocessed_entity": document(
                    location.type, location.target, generated_name(location.type, location.target)
                ),
                "unprocessed_hash": "",
                "next_update_at": location.next_read_at.isoformat(),
                "last_discovery_at": location.created_at.isoformat(),
                "location_key": location.ref,
            }
            for location in self._store.locations.page(states=("pending",), limit=_AT_ONCE).items
        ]

    def forget(self, principal: Principal, entity_id: str) -> None:
        """Forget what is wrong with a document until it is read again; one that is not there is fine."""
        self._access.check(principal, "catalog.entity.delete", resource=entity_id)
        with self._store.transaction():
            if self._store.records.forget_problem(entity_id.replace("\0", "")):
                self._audit.record(principal, "catalog.problem.forget", entity_id)

    def _errors(self) -> Sequence[CatalogProblem]:
        found: list[CatalogProblem] = []
        cursor = None
        while len(found) < _MOST:
            page = self._store.records.problems(cursor=cursor, limit=_AT_ONCE)
            found += [item for item in page.items if item.level == "error"]
            cursor = page.next_cursor
            if cursor is None:
                break
        return found


def _document(problem: CatalogProblem, type_: str, target: str) -> dict[str, Any]:
    """What is known of a document that is not kept."""
    if problem.entity_ref is None:
        return document(type_, target, generated_name(type_, target))
    try:
        ref = parse_ref(problem.entity_ref)
    except Invalid:
        return document(type_, target, generated_name(type_, target))
    by = {"backstage.io/managed-by-location": f"{type_}:{problem.file or target}"}
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": ref.kind,
        "metadata": {"name": ref.name, "namespace": ref.namespace, "annotations": by},
    }


def _ref(entity: dict[str, Any]) -> str:
    return f"{entity['kind']}:{entity['metadata']['namespace']}/{entity['metadata']['name']}".lower()


def _error(problem: CatalogProblem) -> dict[str, Any]:
    where = f"{problem.file}:{problem.line or '?'}: " if problem.file else ""
    return {
        "name": "InputError",
        "message": f"{where}{problem.message}",
        "cause": {"name": problem.code, "message": ""},
    }
