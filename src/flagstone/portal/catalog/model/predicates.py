"""Which entities are meant: the filters and predicates of the Backstage API, parsed into one small tree.

A tree is made of tuples, so that it can be a key of a cache. Turning it into SQL is the store's part.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from flagstone.kernel.errors import Invalid

_MAX_DEPTH = 20
_MAX_NODES = 2_000
_OPERATORS = ("$exists", "$in", "$hasPrefix", "$contains")


@dataclass(frozen=True, slots=True)
class Has:
    """The entity has this key; with ``values``: with one of them. Both lower case."""

    key: str
    values: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Starts:
    """A value of this key starts so."""

    key: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Related:
    """The entity has a relation of this type (lower case); with ``targets``: to one of these refs."""

    type: str
    targets: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; no parts: everything."""

    parts: tuple[Predicate, ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds; no parts: nothing."""

    parts: tuple[Predicate, ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Predicate


Predicate = Has | Starts | Related | All | AnyOf | Not

EVERYTHING = All()


def clean(text: str) -> str:
    """As search values are stored: lower case; NUL, which no stored text holds, is replaced."""
    return text.replace("\0", "\ufffd").lower()


def has(key: str, values: Iterable[str] | None) -> Predicate:
    """``key``, or ``key=value``, where ``relations.<type>`` asks for relations."""
    key = clean(key)
    wanted = None if values is None else tuple(dict.fromkeys(clean(value) for value in values))
    if key.startswith("relations."):
        return Related(key.removeprefix("relations."), wanted)
    return Has(key, wanted)


def parse_filters(filters: Iterable[str]) -> Predicate:
    """The ``filter`` parameters: any of them, each a list of statements. Raises Invalid (``catalog.bad_filter``)."""
    found = [_filter(text) for text in filters if text]
    if not found:
        return EVERYTHING
    return found[0] if len(found) == 1 else AnyOf(tuple(found))


def _filter(text: str) -> Predicate:
    values: dict[str, list[str] | None] = {}
    for statement in text.split(","):
        key, equals, value = (part.strip() for part in statement.partition("="))
        if not key:
            if equals:
                raise Invalid("catalog.bad_filter", f"Invalid filter, '{statement.strip():.100}' has no key")
            continue
        known = values.setdefault(key.lower(), [])
        if not equals:
            values[key.lower()] = None
        elif known is not None:
            known.append(value)
    parts = tuple(has(key, found) for key, found in values.items())
    return parts[0] if len(parts) == 1 else All(parts)


def parse_query(query: Any) -> Predicate:
    """A predicate in JSON. Raises Invalid (``catalog.bad_query``)."""
    if not isinstance(query, Mapping):
        _refuse("must be an object")
    return _Parser().node(query, 0)


class _Parser:
    def __init__(self) -> None:
        self._nodes = 0

    def node(self, query: Any, depth: int) -> Predicate:
        self._nodes += 1
        if depth > _MAX_DEPTH or self._nodes > _MAX_NODES:
            _refuse("is too large")
        if not isinstance(query, Mapping):
            _refuse(f"{_shown(query)} must be an object")
        for name in ("$all", "$any", "$not"):
            if name in query:
                if len(query) > 1:
                    _refuse(f"{name} must be the only key of its object")
                return self._logic(name, query[name], depth + 1)
        parts = tuple(self._field(key, value) for key, value in query.items())
        return parts[0] if len(parts) == 1 else All(parts)

    def _logic(self, name: str, value: Any, depth: int) -> Predicate:
        if name == "$not":
            return Not(self.node(value, depth))
        if not isinstance(value, list):
            _refuse(f"{name} must be a list")
        parts = tuple(self.node(item, depth) for item in value)
        return All(parts) if name == "$all" else AnyOf(parts)

    def _field(self, key: str, value: Any) -> Predicate:
        if key.startswith("$"):
            _refuse(f"unknown operator {key:.50}")
        if not isinstance(value, Mapping):
            return has(key, [_primitive(key, value)])
        if len(value) != 1 or (operator := next(iter(value))) not in _OPERATORS:
            _refuse(f"{key:.100} must be a value, or an object with one of {', '.join(_OPERATORS)}")
        return self._operation(key, operator, value[operator])

    def _operation(self, key: str, operator: str, operand: Any) -> Predicate:
        if operator == "$exists":
            if not isinstance(operand, bool):
                _refuse(f"$exists of {key:.100} must be true or false")
            found = has(key, None)
            return found if operand else Not(found)
        if operator == "$in":
            return has(key, _values(key, operand))
        if operator == "$hasPrefix":
            if not isinstance(operand, str):
                _refuse(f"$hasPrefix of {key:.100} must be a text")
            return Starts(clean(key), clean(operand))
        if key.lower() == "relations":
            return _relation(operand)
        return has(key, [_primitive(key, operand)])


def _relation(operand: Any) -> Predicate:
    if not isinstance(operand, Mapping) or set(operand) - {"type", "targetRef"} or not _text(operand.get("type")):
        _refuse("$contains of relations needs a type, and may have a targetRef")
    targets: tuple[str, ...] | None = None
    if "targetRef" in operand:
        wanted = operand["targetRef"]
        if isinstance(wanted, Mapping):
            if set(wanted) != {"$in"}:
                _refuse("targetRef must be a text, or an object with $in")
            targets = tuple(clean(item) for item in _values("targetRef", wanted["$in"]))
        else:
            targets = (clean(_primitive("targetRef", wanted)),)
    return Related(clean(operand["type"]), targets)


def _values(key: str, operand: Any) -> list[str]:
    if not isinstance(operand, list):
        _refuse(f"$in of {key:.100} must be a list")
    if len(operand) > _MAX_NODES:
        _refuse(f"$in of {key:.100} has too many values")
    return [_primitive(key, item) for item in operand]


def _primitive(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    if isinstance(value, str):
        return value
    if not isinstance(value, int | float):
        _refuse(f"the value of {key:.100} must be a text, a number, true or false")
    return json.dumps(value)


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _shown(value: Any) -> str:
    return json.dumps(value, default=str)[:80]


def _refuse(what: str) -> NoReturn:
    raise Invalid("catalog.bad_query", f"Invalid query: {what}")
