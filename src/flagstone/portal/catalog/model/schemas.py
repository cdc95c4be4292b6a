"""What people read of JSON schemas in definitions of APIs: names, types, meanings. Never raises for their form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 6
MAX_FIELDS = 200


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a member of a schema; ``level`` is how deep it lies."""

    name: str
    place: str
    type: str
    required: bool
    description: str
    level: int = 0


class SchemaReader:
    """Reads the schemas of one document; references to other documents are not followed."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def fields(self, schema: Mapping[str, Any]) -> list[Field]:
        """The members of a schema, nested ones after their owner."""
        found: list[Field] = []
        if schema:
            self._add("", schema, 0, found, required=True, seen=())
        return found[:MAX_FIELDS]

    def _add(
        self, name: str, schema: Any, level: int, found: list[Field], *, required: bool, seen: tuple[str, ...]
    ) -> None:
        ref = text_of(mapping(schema).get("$ref"))
        resolved = self.resolved(schema)
        if name or resolved.get("type") not in ("object", None):
            found.append(
                Field(name or "(body)", "", self.type_of(schema), required, text_of(resolved.get("description")), level)
            )
            level += 1
        if level > MAX_DEPTH or len(found) > MAX_FIELDS or (ref and ref in seen):
            return
        inside = self.resolved(resolved.get("items")) if resolved.get("type") == "array" else resolved
        below = (*seen, ref, text_of(mapping(resolved.get("items")).get("$ref")))
        for part in (inside, *(self.resolved(item) for item in sequence(inside.get("allOf")))):
            needed = sequence(part.get("required"))
            for key, value in mapping(part.get("properties")).items():
                self._add(str(key), value, level, found, required=key in needed, seen=tuple(r for r in below if r))

    def type_of(self, schema: Any) -> str:
        """The type in words."""
        resolved = self.resolved(schema)
        type_ = resolved.get("type")
        name = " or ".join(map(str, type_)) if isinstance(type_, list) else text_of(type_)
        if name == "array":
            return f"list of {self.type_of(resolved.get('items')) or 'anything'}"
        if isinstance(resolved.get("enum"), list):
            return " | ".join(str(value) for value in resolved["enum"][:12])
        if not name:
            name = next((word for word in ("oneOf", "anyOf", "allOf") if word in resolved), "")
        format_ = text_of(resolved.get("format"))
        return f"{name} ({format_})" if name and format_ else name

    def resolved(self, value: Any) -> Mapping[str, Any]:
        """The value, or what it refers to in this document; other documents are not followed."""
        for _ in range(MAX_DEPTH):
            ref = text_of(mapping(value).get("$ref"))
            if not ref.startswith("#/"):
                return mapping(value)
            value = self._document
            for part in ref[2:].split("/"):
                value = mapping(value).get(part.replace("~1", "/").replace("~0", "~"))
        return {}


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> Sequence[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else ()


def text_of(value: Any) -> str:
    """The value if it is a text or a number, else nothing."""
    return value if isinstance(value, str) else str(value) if isinstance(value, int | float) else ""
