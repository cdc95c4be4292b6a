"""The tests of Nunjucks: what may stand behind ``is``."""

# ruff: noqa: ARG005 - every function in the tables has the same signature
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from flagstone.toolkit.templating.faults import TemplateError
from flagstone.toolkit.templating.limits import Budget
from flagstone.toolkit.templating.operators import BINARY
from flagstone.toolkit.templating.values import UNDEFINED, Value, is_number, same, to_number, truthy

_ALIASES = {
    "eq": "==",
    "equalto": "==",
    "ne": "!=",
    "ge": ">=",
    "gt": ">",
    "greaterthan": ">",
    "le": "<=",
    "lt": "<",
    "lessthan": "<",
}


def _divisible(value: Value, other: Value) -> bool:
    divisor = to_number(other)
    return bool(divisor) and to_number(value) % divisor == 0


_ONE: dict[str, Callable[[Value], bool]] = {
    "boolean": lambda value: isinstance(value, bool),
    "callable": lambda value: False,
    "defined": lambda value: value is not UNDEFINED,
    "escaped": lambda value: False,
    "even": lambda value: to_number(value) % 2 == 0,
    "falsy": lambda value: not truthy(value),
    "iterable": lambda value: isinstance(value, list | tuple | str),
    "lower": lambda value: isinstance(value, str) and value == value.lower(),
    "mapping": lambda value: isinstance(value, Mapping),
    "none": lambda value: value is None,
    "null": lambda value: value is None,
    "number": is_number,
    "odd": lambda value: abs(to_number(value)) % 2 == 1 and to_number(value) > 0,
    "string": lambda value: isinstance(value, str),
    "truthy": truthy,
    "undefined": lambda value: value is UNDEFINED,
    "upper": lambda value: isinstance(value, str) and value == value.upper(),
}
_TWO: dict[str, Callable[[Value, Value], bool]] = {"divisibleby": _divisible, "sameas": same}

NAMES = frozenset({*_ALIASES, *_ONE, *_TWO})
"""All tests that there are."""


def check(name: str, value: Value, arguments: Sequence[Value], budget: Budget) -> bool:
    """Apply a test. Raises TemplateError for an unknown one or a missing argument."""
    budget.spend()
    if name in _ONE:
        return _ONE[name](value)
    if name in _TWO or name in _ALIASES:
        if len(arguments) != 1:
            raise TemplateError(f"The test {name!r} needs one argument.")
        if name in _TWO:
            return _TWO[name](value, arguments[0])
        return bool(BINARY[_ALIASES[name]](value, arguments[0], budget))
    raise TemplateError(f"There is no test {name!r:.60}.")
