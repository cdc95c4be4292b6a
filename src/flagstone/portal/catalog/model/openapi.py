"""What people read of an OpenAPI definition: operations, parameters, bodies, answers. Never raises for its form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_MAX_OPERATIONS = 500
_MAX_DEPTH = 6
_MAX_FIELDS = 200


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a member of a schema; ``level`` is how deep it lies."""

    name: str
    place: str
    type: str
    required: bool
    description: str
    level: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer by its status, with the members of its body."""

    status: str
    description: str
    media: str
    fields: Sequence[Field]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. ``anchor`` is unique on the page."""

    method: str
    path: str
    anchor: str
    summary: str
    description: str
    tag: str
    deprecated: bool
    parameters: Sequence[Field]
    body: Sequence[Field]
    body_media: str
    answers: Sequence[Answer]


@dataclass(frozen=True, slots=True)
class OpenApi:
    """A definition. ``hidden`` operations were left out because there are too many."""

    title: str
    version: str
    description: str
    servers: Sequence[str]
    groups: Sequence[tuple[str, Sequence[Operation]]]
    count: int
    hidden: int = 0


def read_openapi(document: Any) -> OpenApi | None:
    """The operations of a definition (OpenAPI 3, Swagger 2 as far as it is alike); None for something else."""
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        return None
    if not ("openapi" in document or "swagger" in document):
        return None
    reader = _Reader(document)
    operations = list(reader.operations())
    groups: dict[str, list[Operation]] = {}
    for operation in operations[:_MAX_OPERATIONS]:
        groups.setdefault(operation.tag, []).append(operation)
    info = _mapping(document.get("info"))
    servers = [_text(_mapping(server).get("url")) for server in _list(document.get("servers"))]
    return OpenApi(
        _text(info.get("title")),
        _text(info.get("version")),
        _text(info.get("description")),
        [server for server in servers if server],
        list(groups.items()),
        len(operations),
        max(0, len(operations) - _MAX_OPERATIONS),
    )


class _Reader:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def operations(self) -> Iterator[Operation]:
        for path, item in self._document["paths"].items():
            entry = self._resolved(item)
            shared = _list(entry.get("parameters"))
            for method in _METHODS:
                if isinstance(entry.get(method), dict):
                    yield self._operation(str(path), method, entry[method], shared)

    def _operation(self, path: str, method: str, found: Mapping[str, Any], shared: Sequence[Any]) -> Operation:
        parameters = [self._resolved(item) for item in (*shared, *_list(found.get("parameters")))]
        plain = [item for item in parameters if item.get("in") != "body"]
        swagger_body = next((item for item in parameters if item.get("in") == "body"), None)
        request = self._resolved(found.get("requestBody"))
        media, schema = self._content(request)
        if swagger_body is not None:
            media, schema = "application/json", _mapping(swagger_body.get("schema"))
        tags = [tag for tag in _list(found.get("tags")) if isinstance(tag, str)]
        anchor = _text(found.get("operationId")) or f"{method}-{path}"
        return Operation(
            method.upper(),
            path,
            "op-" + "".join(char if char.isalnum() else "-" for char in anchor),
            _text(found.get("summary")),
            _text(found.get("description")),
            tags[0] if tags else "",
            found.get("deprecated") is True,
            [self._parameter(item) for item in plain],
            self._fields(schema),
            media,
            [self._answer(str(status), answer) for status, answer in _mapping(found.get("responses")).items()],
        )

    def _parameter(self, item: Mapping[str, Any]) -> Field:
        schema = self._resolved(item.get("schema")) or item
        type_ = self._type(schema)
        return Field(
            _text(item.get("name")),
            _text(item.get("in")),
            type_,
            item.get("required") is True,
            _text(item.get("description")),
        )

    def _answer(self, status: str, found: Any) -> Answer:
        answer = self._resolved(found)
        media, schema = self._content(answer)
        return Answer(
            status, _text(answer.get("description")), media, self._fields(schema or _mapping(answer.get("schema")))
        )

    def _content(self, holder: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        for media, content in _mapping(holder.get("content")).items():
            return str(media), _mapping(_mapping(content).get("schema"))
        return "", {}

    def _fields(self, schema: Mapping[str, Any]) -> list[Field]:
        found: list[Field] = []
        if schema:
            self._add("", schema, 0, found, required=True, seen=())
        return found[:_MAX_FIELDS]

    def _add(
        self, name: str, schema: Any, level: int, found: list[Field], *, required: bool, seen: tuple[str, ...]
    ) -> None:
        ref = _text(_mapping(schema).get("$ref"))
        resolved = self._resolved(schema)
        if name or resolved.get("type") not in ("object", None):
            found.append(
                Field(name or "(body)", "", self._type(schema), required, _text(resolved.get("description")), level)
            )
            level += 1
        if level > _MAX_DEPTH or len(found) > _MAX_FIELDS or (ref and ref in seen):
            return
        inside = self._resolved(resolved.get("items")) if resolved.get("type") == "array" else resolved
        below = (*seen, ref, _text(_mapping(resolved.get("items")).get("$ref")))
        for part in (inside, *(self._resolved(item) for item in _list(inside.get("allOf")))):
            needed = _list(part.get("required"))
            for key, value in _mapping(part.get("properties")).items():
                self._add(str(key), value, level, found, required=key in needed, seen=tuple(r for r in below if r))

    def _type(self, schema: Any) -> str:
        resolved = self._resolved(schema)
        type_ = resolved.get("type")
        name = " or ".join(map(str, type_)) if isinstance(type_, list) else _text(type_)
        if name == "array":
            return f"list of {self._type(resolved.get('items')) or 'anything'}"
        if isinstance(resolved.get("enum"), list):
            return " | ".join(str(value) for value in resolved["enum"][:12])
        if not name:
            name = next((word for word in ("oneOf", "anyOf", "allOf") if word in resolved), "")
        format_ = _text(resolved.get("format"))
        return f"{name} ({format_})" if name and format_ else name

    def _resolved(self, value: Any) -> Mapping[str, Any]:
        """The value, or what it refers to in this document; other documents are not followed."""
        for _ in range(_MAX_DEPTH):
            ref = _text(_mapping(value).get("$ref"))
            if not ref.startswith("#/"):
                return _mapping(value)
            value = self._document
            for part in ref[2:].split("/"):
                value = _mapping(value).get(part.replace("~1", "/").replace("~0", "~"))
        return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, int | float) else ""
