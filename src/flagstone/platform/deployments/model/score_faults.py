"""Errors of the JSON Schema of Score, put into words for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jsonschema import ValidationError

from flagstone.platform.deployments.model.score_schema import API_VERSION, HINTS

Path = tuple[str | int, ...]
"""Where a value is: the keys and indexes that lead to it."""
Fault = tuple[Path, str, str | None]
"""Where it is, what is wrong, and what to do if that is known."""

_KINDS: Mapping[str, str] = {
    "object": "a map",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "boolean": "true or false",
}


def schema_faults(error: ValidationError) -> list[Fault]:
    """The faults behind one error of the validator."""
    path: Path = tuple(error.absolute_path)
    schema: Mapping[str, Any] = error.schema if isinstance(error.schema, Mapping) else {}
    word = _WORDS.get(str(error.validator))
    return word(path, error, schema) if word else [(path, error.message, None)]


def dotted(path: Path) -> str:
    """A path for people: ``containers.main.image``."""
    return ".".join(str(part) for part in path)


def _required(path: Path, error: ValidationError, _schema: Mapping[str, Any]) -> list[Fault]:
    names: list[str] = list(error.validator_value)  # type: ignore[arg-type]  # always a list for this rule
    # jsonschema makes one error a missing name, and each lists all names.
    missing = [name for name in names if error.message.startswith(repr(name))]
    return [((*path, name), f"{dotted((*path, name))} is required", None) for name in missing]


def _unknown(path: Path, error: ValidationError, schema: Mapping[str, Any]) -> list[Fault]:
    known = sorted(schema.get("properties", {}))
    instance: Any = error.instance
    where = dotted(path) or "a Score document"
    hint = f"Known here: {', '.join(known)}."
    return [((*path, key), f"{key!r} is not a member of {where}", hint) for key in instance if key not in known]


def _pattern(path: Path, error: ValidationError, schema: Mapping[str, Any]) -> list[Fault]:
    hint = HINTS.get(str(schema.get("pattern", "")))
    if "propertyNames" in error.relative_schema_path:
        return [((*path, str(error.instance)), f"{error.instance!r} is not a valid name", hint)]
    return [(path, f"{error.instance!r} is not a valid value", hint)]


def _type(path: Path, error: ValidationError, _schema: Mapping[str, Any]) -> list[Fault]:
    wanted = str(error.validator_value)
    message = f"must be {_KINDS.get(wanted, wanted)}, not {_kind_of(error.instance)}"
    return [(path, message, _quotes(error.instance) if wanted == "string" else None)]


def _enum(path: Path, error: ValidationError, schema: Mapping[str, Any]) -> list[Fault]:
    allowed = " or ".join(str(item) for item in schema.get("enum", ()))
    hint = f"This version reads {API_VERSION}." if path == ("apiVersion",) else None
    return [(path, f"must be {allowed}, not {error.instance!r}", hint)]


def _one_of(path: Path, _error: ValidationError, _schema: Mapping[str, Any]) -> list[Fault]:
    return [(path, "needs exactly one of source, content and binaryContent", None)]


def _empty(path: Path, _error: ValidationError, _schema: Mapping[str, Any]) -> list[Fault]:
    return [(path, "needs at least one container" if path == ("containers",) else "needs httpGet or exec", None)]


_WORDS: Mapping[str, Callable[[Path, ValidationError, Mapping[str, Any]], list[Fault]]] = {
    "required": _required,
    "additionalProperties": _unknown,
    "pattern": _pattern,
    "minLength": _pattern,
    "maxLength": _pattern,
    "type": _type,
    "enum": _enum,
    "oneOf": _one_of,
    "minProperties": _empty,
}


def _kind_of(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    return "a text" if isinstance(value, str) else "a list" if isinstance(value, list) else "a map"


def _quotes(value: Any) -> str | None:
    if isinstance(value, bool):
        return f'Put it in quotes: "{str(value).lower()}".'
    return f'Put it in quotes: "{value}".' if isinstance(value, int | float) else None
