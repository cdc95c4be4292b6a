"""A JSON Schema of an action as rows of a table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_DEEPEST = 3
IDEMPOTENCY = {
    "natural": "Doing it twice equals doing it once: after a crash it is simply done again.",
    "key": "The other side refuses the same key twice: after a crash it is sent again with the same key.",
    "probe": "After a crash it first looks whether it was done.",
    "none": "After a crash nobody can tell whether it was done: the run asks a person.",
}


@dataclass(frozen=True, slots=True)
class Member:
    """One member; ``name`` of a nested one is a path such as ``files[].from``."""

    name: str
    type: str
    required: bool
    default: str
    meaning: str


def paragraphs(text: str) -> tuple[tuple[str, ...], ...]:
    """A docstring for people: paragraphs, cut at the marks of code."""
    return tuple(tuple(part.split("``")) for part in text.split("\n\n"))


def members(schema: Mapping[str, Any]) -> tuple[Member, ...]:
    """The members of an object, those of nested objects below them."""
    return tuple(_members(schema, schema.get("$defs") or {}, "", 0))


def _members(schema: Mapping[str, Any], defs: Mapping[str, Any], prefix: str, depth: int) -> Iterator[Member]:
    required = set(schema.get("required") or ())
    for name, raw in (schema.get("properties") or {}).items():
        item = _resolved(raw, defs)
        default = "" if item.get("default") in (None, "", [], {}) else json.dumps(item["default"])
        yield Member(prefix + name, _type(item, defs), name in required, default, str(item.get("description") or ""))
        inner, path = item, f"{prefix}{name}."
        if item.get("type") == "array":
            inner, path = _resolved(item.get("items") or {}, defs), f"{prefix}{name}[]."
        if depth < _DEEPEST:
            yield from _members(inner, defs, path, depth + 1)


def _resolved(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    found = schema
    ref = str(schema.get("$ref") or "")
    if ref.startswith("#/$defs/"):
        found = {**(defs.get(ref.removeprefix("#/$defs/")) or {}), **schema}
    return found


def _type(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(json.dumps(value) for value in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    for word in ("anyOf", "oneOf"):
        if word in schema:
            kinds = [_type(_resolved(item, defs), defs) for item in schema[word] if item.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_type(_resolved(schema.get('items') or {}, defs), defs)}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)
