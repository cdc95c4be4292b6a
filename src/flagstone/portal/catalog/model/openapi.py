"""What people read of an OpenAPI definition: operations, parameters, bodies, answers. Never raises for its form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flagstone.portal.catalog.model.schemas import Field, SchemaReader, mapping, sequence, text_of

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_MAX_OPERATIONS = 500


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
    info = mapping(document.get("info"))
    servers = [text_of(mapping(server).get("url")) for server in sequence(document.get("servers"))]
    return OpenApi(
        text_of(info.get("title")),
        text_of(info.get("version")),
        text_of(info.get("description")),
        [server for server in servers if server],
        list(groups.items()),
        len(operations),
        max(0, len(operations) - _MAX_OPERATIONS),
    )


class _Reader(SchemaReader):
    def operations(self) -> Iterator[Operation]:
        for path, item in self._document["paths"].items():
            entry = self.resolved(item)
            shared = sequence(entry.get("parameters"))
            for method in _METHODS:
                if isinstance(entry.get(method), dict):
                    yield self._operation(str(path), method, entry[method], shared)

    def _operation(self, path: str, method: str, found: Mapping[str, Any], shared: Sequence[Any]) -> Operation:
        parameters = [self.resolved(item) for item in (*shared, *sequence(found.get("parameters")))]
        plain = [item for item in parameters if item.get("in") != "body"]
        swagger_body = next((item for item in parameters if item.get("in") == "body"), None)
        request = self.resolved(found.get("requestBody"))
        media, schema = self._content(request)
        if swagger_body is not None:
            media, schema = "application/json", mapping(swagger_body.get("schema"))
        tags = [tag for tag in sequence(found.get("tags")) if isinstance(tag, str)]
        anchor = text_of(found.get("operationId")) or f"{method}-{path}"
        return Operation(
            method.upper(),
            path,
            "op-" + "".join(char if char.isalnum() else "-" for char in anchor),
            text_of(found.get("summary")),
            text_of(found.get("description")),
            tags[0] if tags else "",
            found.get("deprecated") is True,
            [self._parameter(item) for item in plain],
            self.fields(schema),
            media,
            [self._answer(str(status), answer) for status, answer in mapping(found.get("responses")).items()],
        )

    def _parameter(self, item: Mapping[str, Any]) -> Field:
        schema = self.resolved(item.get("schema")) or item
        type_ = self.type_of(schema)
        return Field(
            text_of(item.get("name")),
            text_of(item.get("in")),
            type_,
            item.get("required") is True,
            text_of(item.get("description")),
        )

    def _answer(self, status: str, found: Any) -> Answer:
        answer = self.resolved(found)
        media, schema = self._content(answer)
        return Answer(
            status, text_of(answer.get("description")), media, self.fields(schema or mapping(answer.get("schema")))
        )

    def _content(self, holder: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        for media, content in mapping(holder.get("content")).items():
            return str(media), mapping(mapping(content).get("schema"))
        return "", {}
