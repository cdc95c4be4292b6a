"""Score workloads: liberal upgrade, strict validation with every fault at once, and expansion of placeholders.

Works on plain data; reading the file is the service's business.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from jsonschema import Draft7Validator

from flagstone.kernel.errors import Problem
from flagstone.platform.deployments.model.placeholders import expand, lookup_in
from flagstone.platform.deployments.model.score_faults import Fault, Path, dotted, schema_faults
from flagstone.platform.deployments.model.score_rules import order_faults, placeholder_faults
from flagstone.platform.deployments.model.score_schema import SCHEMA

Line = Callable[[Path], int | None]
"""The line of a value in the file, by its path; None when it is not known."""

_VALIDATOR = Draft7Validator(SCHEMA)


def upgrade(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with deprecated forms replaced: lists of files, volumes and lines, and ``read_only``."""
    upgraded: dict[str, Any] = copy.deepcopy(dict(document))
    containers = upgraded.get("containers")
    for container in containers.values() if isinstance(containers, dict) else ():
        if not isinstance(container, dict):
            continue
        for key in ("files", "volumes"):
            if isinstance(container.get(key), list):
                container[key] = _by_target(container[key])
        files = container.get("files")
        for file in files.values() if isinstance(files, dict) else ():
            if isinstance(file, dict) and isinstance(file.get("content"), list):
                file["content"] = "\n".join(str(line) for line in file["content"])
        volumes = container.get("volumes")
        for volume in volumes.values() if isinstance(volumes, dict) else ():
            if isinstance(volume, dict) and "read_only" in volume:
                volume.setdefault("readOnly", volume.pop("read_only"))
    return upgraded


def _nearest(line: Line, path: Path) -> int | None:
    """The line of a path; of what is around it when it is not there, and the first one at last."""
    return next((found for end in range(len(path), -1, -1) if (found := line(path[:end])) is not None), None)


def _by_target(items: list[Any]) -> Any:
    if not all(isinstance(item, dict) and isinstance(item.get("target"), str) for item in items):
        return items  # the schema then says what is wrong with it
    return {item["target"]: {key: value for key, value in item.items() if key != "target"} for item in items}


def validate(document: Mapping[str, Any], *, file: str, line: Line = lambda _path: None) -> list[Problem]:
    """Every fault of an upgraded document, in order of the file; empty when it is sound."""
    errors = list(_VALIDATOR.iter_errors(document))
    found: list[Fault] = []
    for error in errors:
        found += schema_faults(error)
    # What follows expects the shapes that the schema asks for.
    if not errors:
        found += placeholder_faults(document)
        found += order_faults(document["containers"])
    problems = [
        Problem(message, file=file, line=_nearest(line, path), field=dotted(path) or None, hint=hint)
        for path, message, hint in found
    ]
    return sorted(problems, key=lambda problem: (problem.line or 0, problem.field or ""))


def canonical(document: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults filled in, so that equal workloads have equal text and readers need no defaults of their own."""
    full: dict[str, Any] = copy.deepcopy(dict(document))
    for port in full.get("service", {}).get("ports", {}).values():
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port["port"])
    for resource in full.get("resources", {}).values():
        resource.setdefault("class", "default")
    return full


def digest(workload: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical text."""
    text = json.dumps(workload, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def resolve(
    workload: Mapping[str, Any],
    outputs: Mapping[str, Mapping[str, Any]],
    read: Callable[[str], bytes],
) -> dict[str, Any]:
    """The workload with every placeholder replaced and every file's ``source`` read in.

    ``outputs`` are those of the resources by name; ``read`` gives a file beside the document.
    Raises PlaceholderError, and what ``read`` raises.
    """
    resolved: dict[str, Any] = copy.deepcopy(dict(workload))
    lookup = lookup_in(resolved["metadata"], {**dict.fromkeys(resolved.get("resources", {})), **outputs})
    for container in resolved["containers"].values():
        variables = container.get("variables", {})
        for name, value in variables.items():
            variables[name] = expand(value, lookup)
        for volume in container.get("volumes", {}).values():
            volume["source"] = expand(volume["source"], lookup)
        for target, file in container.get("files", {}).items():
            container["files"][target] = _resolve_file(file, lookup, read)
    return resolved


def _resolve_file(
    file: Mapping[str, Any], lookup: Callable[[str], str], read: Callable[[str], bytes]
) -> dict[str, Any]:
    kept = {key: value for key, value in file.items() if key in ("mode", "binaryContent")}
    if "binaryContent" in file:
        return kept
    text = file.get("content")
    if text is None:
        data = read(file["source"])
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return {**kept, "binaryContent": base64.b64encode(data).decode()}
    if not file.get("noExpand", False):
        text = expand(text, lookup)
    return {**kept, "content": text, "noExpand": True}
