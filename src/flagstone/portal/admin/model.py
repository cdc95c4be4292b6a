"""Values of the admin pages; the API reference is read out of the OpenAPI document."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class PluginRow:
    """One plugin and what it brings."""

    name: str
    own: bool
    contributes: tuple[str, ...]
    failures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DatabaseRow:
    """One database."""

    name: str
    backend: str
    where: str
    state: str
    message: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter or member of a body."""

    name: str
    place: str
    type: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    permission: str
    parameters: tuple[Parameter, ...]
    body: tuple[Parameter, ...]
    answers: tuple[tuple[str, str], ...]

    @property
    def curl(self) -> str:
        """A command to try it."""
        line = f"curl -H 'Authorization: Bearer TOKEN' $URL{self.path}"
        if self.method == "GET":
            return line
        data = " \\\n  -H 'Content-Type: application/json' -d '{…}'" if self.body else ""
        return line.replace("curl ", f"curl -X {self.method} ", 1) + data


@dataclass(frozen=True, slots=True)
class OperationGroup:
    """The operations of one tag."""

    name: str
    operations: tuple[Operation, ...]


def operation_groups(
    document: Mapping[str, Any], permissions: Mapping[tuple[str, str], str]
) -> tuple[OperationGroup, ...]:
    """Group an OpenAPI document by tag. ``permissions``: (path, METHOD) -> permission name."""
    groups: dict[str, list[Operation]] = defaultdict(list)
    for path, item in sorted(document.get("paths", {}).items()):
        for method in _METHODS:
            if method in item:
                operation = _operation(document, path, method, item[method], permissions)
                groups[str((item[method].get("tags") or ["other"])[0])].append(operation)
    return tuple(OperationGroup(name, tuple(found)) for name, found in sorted(groups.items()))


def _operation(
    document: Mapping[str, Any],
    path: str,
    method: str,
    raw: Mapping[str, Any],
    permissions: Mapping[tuple[str, str], str],
) -> Operation:
    parameters = tuple(
        Parameter(
            str(item["name"]), str(item["in"]), _type(item.get("schema", {})), bool(item.get("required")),
            str(item.get("description", "")),
        )
        for item in raw.get("parameters", ())
    )  # fmt: skip
    answers = tuple(
        (code, str(answer.get("description", ""))) for code, answer in sorted(raw.get("responses", {}).items())
    )
    return Operation(
        id=f"{method}-{path.strip('/').replace('/', '-').replace('{', '').replace('}', '')}",
        method=method.upper(),
        path=path,
        summary=str(raw.get("summary", "")),
        description=str(raw.get("description", "")),
        permission=permissions.get((path, method.upper()), ""),
        parameters=parameters,
        body=_body(document, raw),
        answers=answers,
    )


def _body(document: Mapping[str, Any], raw: Mapping[str, Any]) -> tuple[Parameter, ...]:
    content = raw.get("requestBody", {}).get("content", {})
    first: Mapping[str, Any] = next(iter(content.values()), {}) if content else {}
    schema: Mapping[str, Any] = first.get("schema", {})
    schema = _resolve(document, schema)
    required = set(schema.get("required", ()))
    return tuple(
        Parameter(name, "body", _type(item), name in required, str(item.get("description", "")))
        for name, item in schema.get("properties", {}).items()
    )


def _resolve(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part, {})
    return found if isinstance(found, Mapping) else {}


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return (
                " or ".join(dict.fromkeys(_type(item) for item in schema[key] if item.get("type") != "null")) or "any"
            )
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    return str(schema.get("type", "any"))
