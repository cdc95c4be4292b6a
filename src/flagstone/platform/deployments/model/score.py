"""Score workloads: liberal upgrade, strict validation with every fault at once, and expansion of placeholders.

Works on plain data; reading the file is the service's business.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jsonschema import Draft7Validator, ValidationError

from flagstone.kernel.errors import Problem
from flagstone.platform.deployments.model.placeholders import (
    PlaceholderError,
    expand,
    lookup_in,
    references,
    split_reference,
)
from flagstone.platform.deployments.model.score_schema import API_VERSION, HINTS, SCHEMA

Path = tuple[str | int, ...]
Line = Callable[[Path], int | None]
"""The line of a value in the file, by its path; None when it is not known."""

_VALIDATOR = Draft7Validator(SCHEMA)


def upgrade(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with deprecated forms replaced by today's: lists of files and volumes, lists of lines, ``read_only``."""
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


def _by_target(items: list[Any]) -> Any:
    if not all(isinstance(item, dict) and isinstance(item.get("target"), str) for item in items):
        return items  # the schema then says what is wrong with it
    return {item["target"]: {key: value for key, value in item.items() if key != "target"} for item in items}


def validate(document: Mapping[str, Any], *, file: str, line: Line = lambda _path: None) -> list[Problem]:
    """Every fault of an upgraded document, in order of the file; empty when it is sound."""
    errors = list(_VALIDATOR.iter_errors(document))
    found: list[tuple[Path, str, str | None]] = []
    for error in errors:
        found += _schema_faults(error)
    # What follows expects the shapes that the schema asks for.
    if not errors:
        found += _placeholder_faults(document)
        found += _order_faults(document["containers"])
    problems = [
        Problem(message, file=file, line=line(path), field=_dotted(path) or None, hint=hint)
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


def unprovided(
    workload: Mapping[str, Any], environment: str, *, file: str, line: Line = lambda _path: None
) -> list[Problem]:
    """A fault for each declared resource: this version has nobody who provides them."""
    return [
        Problem(
            f"this version can not provide resource type {resource['type']} in {environment} yet",
            file=file,
            line=line(("resources", name)),
            field=f"resources.{name}",
            hint="Remove the resource, and give the workload the address of an existing one in its variables.",
        )
        for name, resource in workload.get("resources", {}).items()
    ]


def resolve(
    workload: Mapping[str, Any],
    outputs: Mapping[str, Mapping[str, Any]],
    read: Callable[[str], bytes],
) -> dict[str, Any]:
    """The workload with every placeholder replaced and every file's ``source`` read in.

    ``outputs`` are those of the resources by name; ``read`` gives a file beside the document. Raises PlaceholderError, and
    what ``read`` raises.
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


def _schema_faults(error: ValidationError) -> list[tuple[Path, str, str | None]]:
    path: Path = tuple(error.absolute_path)
    rule, value = error.validator, error.validator_value
    if rule == "required":
        missing = [name for name in value if name not in error.instance]
        # jsonschema reports one error a missing name, and each error lists them all.
        name = next((name for name in missing if error.message.startswith(repr(name))), missing[0])
        return [((*path, name), f"{_dotted((*path, name))} is required", None)]
    if rule == "additionalProperties":
        known = sorted(error.schema.get("properties", {})) if isinstance(error.schema, dict) else []
        hint = f"Known here: {', '.join(known)}."
        extra = [key for key in error.instance if key not in known]
        return [
            ((*path, key), f"{key!r} is not a member of {_dotted(path) or 'a Score document'}", hint) for key in extra
        ]
    if rule == "pattern" or (rule in ("minLength", "maxLength") and isinstance(error.schema, dict)):
        hint = HINTS.get(str(error.schema.get("pattern", ""))) if isinstance(error.schema, dict) else None
        if list(error.relative_schema_path)[-2:-1] == ["propertyNames"]:
            return [((*path, str(error.instance)), f"{error.instance!r} is not a valid name", hint)]
        return [(path, f"{error.instance!r} is not a valid value", hint)]
    if rule == "type":
        return [
            (
                path,
                f"must be {_article(str(value))}, not {_json_type(error.instance)}",
                _type_hint(str(value), error.instance),
            )
        ]
    if rule == "enum":
        allowed = " or ".join(str(item) for item in value)
        hint = f"This version reads {API_VERSION}." if path == ("apiVersion",) else None
        return [(path, f"must be {allowed}, not {error.instance!r}", hint)]
    if rule == "oneOf":
        return [(path, "needs exactly one of source, content and binaryContent", None)]
    if rule == "minProperties":
        return [
            (path, "needs httpGet or exec" if path[-1:] != ("containers",) else "needs at least one container", None)
        ]
    return [(path, error.message, None)]


def _article(kind: str) -> str:
    return {
        "object": "a map",
        "array": "a list",
        "string": "a text",
        "integer": "a whole number",
        "boolean": "true or false",
    }.get(kind, kind)


def _json_type(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    return {str: "a text", list: "a list", dict: "a map"}.get(type(value), type(value).__name__)


def _type_hint(kind: str, value: Any) -> str | None:
    if kind == "string" and isinstance(value, bool | int | float):
        shown = str(value).lower() if isinstance(value, bool) else value
        return f'Put it in quotes: "{shown}".'
    return None


def _placeholder_faults(document: Mapping[str, Any]) -> list[tuple[Path, str, str | None]]:
    resources = document.get("resources", {})
    lookup = lookup_in(document["metadata"], {})
    faults: list[tuple[Path, str, str | None]] = []
    for path, text in _expanded_texts(document):
        for reference in references(text):
            message = _placeholder_fault(reference, resources, lookup, volume=path[-1] == "source")
            if message:
                faults.append((path, message, "Use $$ to write a dollar sign that is not a placeholder."))
    return faults


def _placeholder_fault(
    reference: str, resources: Mapping[str, Any], lookup: Callable[[str], str], *, volume: bool
) -> str | None:
    root, *rest = split_reference(reference)
    if root == "resources" and rest:
        if rest[0] not in resources:
            return f'placeholder ${{{reference}}} does not resolve to a resource, no resource with name "{rest[0]}"'
        if len(rest) == 1 and not volume:
            return f"placeholder ${{{reference}}} names a resource, but none of its outputs"
        return None
    if not rest or not root:
        return f"placeholder ${{{reference}}} is malformed, must contain at least two elements separated by a dot"
    if root != "metadata":
        return f'placeholder ${{{reference}}} has unsupported first element of "{root}"'
    try:
        lookup(reference)
    except PlaceholderError as error:
        return str(error)
    return None


def _expanded_texts(document: Mapping[str, Any]) -> list[tuple[Path, str]]:
    texts: list[tuple[Path, str]] = []
    for name, container in document["containers"].items():
        here: Path = ("containers", name)
        texts += [((*here, "variables", key), text) for key, text in container.get("variables", {}).items()]
        for target, file in container.get("files", {}).items():
            if "content" in file and not file.get("noExpand", False):
                texts.append(((*here, "files", target, "content"), file["content"]))
        texts += [
            ((*here, "volumes", target, "source"), item["source"])
            for target, item in container.get("volumes", {}).items()
        ]
    for name, resource in document.get("resources", {}).items():
        texts += _strings(("resources", name, "params"), resource.get("params", {}))
    return texts


def _strings(path: Path, value: Any) -> list[tuple[Path, str]]:
    if isinstance(value, str):
        return [(path, value)]
    if isinstance(value, Mapping):
        return [found for key, item in value.items() for found in _strings((*path, key), item)]
    if isinstance(value, Sequence):
        return [found for index, item in enumerate(value) for found in _strings((*path, index), item)]
    return []


def _order_faults(containers: Mapping[str, Any]) -> list[tuple[Path, str, str | None]]:
    faults: list[tuple[Path, str, str | None]] = []
    edges: dict[str, list[str]] = {}
    for name, container in containers.items():
        for other, entry in container.get("before", {}).items():
            path: Path = ("containers", name, "before", other)
            if other == name:
                faults.append((path, f'container "{name}" has a self-referencing before entry', None))
            elif other not in containers:
                faults.append((path, f'container "{name}" before refers to unknown container "{other}"', None))
            else:
                edges.setdefault(name, []).append(other)
            if entry["ready"] == "healthy" and not {"livenessProbe", "readinessProbe"} & set(container):
                faults.append((path, f'container "{name}" must be healthy before "{other}", but has no probe', None))
    if _has_cycle(edges):
        faults.append((("containers",), "containers before relationships contain a cycle", None))
    return faults


def _has_cycle(edges: Mapping[str, list[str]]) -> bool:
    done: set[str] = set()

    def visit(name: str, trail: frozenset[str]) -> bool:
        if name in trail:
            return True
        if name in done:
            return False
        done.add(name)
        return any(visit(other, trail | {name}) for other in edges.get(name, ()))

    return any(visit(name, frozenset()) for name in edges)


def _dotted(path: Path) -> str:
    return ".".join(str(part) for part in path)
