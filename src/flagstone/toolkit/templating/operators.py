"""What the operators do, by JavaScript's rules, bounded."""

# ruff: noqa: ARG001, ARG005 - every function in the tables has the same signature
from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from flagstone.toolkit.templating.faults import TemplateError
from flagstone.toolkit.templating.limits import Budget
from flagstone.toolkit.templating.values import (
    UNDEFINED,
    Value,
    equal,
    is_list,
    member,
    number,
    same,
    to_number,
    to_text,
    whole,
)


def concatenate(left: Value, right: Value, budget: Budget) -> str:
    """``~``, and ``+`` when one side is a text."""
    first, second = spoken(left, budget), spoken(right, budget)
    budget.text(len(first) + len(second))
    return first + second


def spoken(value: Value, budget: Budget) -> str:
    """How a value reads as a part of a text: null and undefined are words there, as in JavaScript."""
    if value is None:
        return "null"
    return "undefined" if value is UNDEFINED else to_text(value, budget)


def _add(left: Value, right: Value, budget: Budget) -> Value:
    if isinstance(left, str | list | tuple | Mapping) or isinstance(right, str | list | tuple | Mapping):
        return concatenate(left, right, budget)
    return number(to_number(left) + to_number(right))


def _divide(left: float, right: float) -> float:
    if right == 0:
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)
    return left / right


def _floor_divide(left: float, right: float) -> float:
    quotient = _divide(left, right)
    return math.floor(quotient) if math.isfinite(quotient) else quotient


def _remainder(left: float, right: float) -> float:
    return math.nan if right == 0 or math.isinf(left) or math.isnan(left) else math.fmod(left, right)


def _power(left: float, right: float) -> float:
    if isinstance(right, float) and math.isnan(right):
        return math.nan
    try:
        result = float(left) ** float(right)
    except (OverflowError, ZeroDivisionError):
        return math.inf
    return result if isinstance(result, float) else math.nan


def _arithmetic(operation: Callable[[float, float], float]) -> Callable[[Value, Value, Budget], Value]:
    def apply(left: Value, right: Value, budget: Budget) -> Value:
        a, b = to_number(left), to_number(right)
        try:
            return number(operation(a, b))
        except OverflowError:
            return math.inf

    return apply


def _ordering(operation: Callable[[float | str, float | str], bool]) -> Callable[[Value, Value, Budget], Value]:
    def apply(left: Value, right: Value, budget: Budget) -> Value:
        if isinstance(left, list | tuple | Mapping):
            left = to_text(left, budget)
        if isinstance(right, list | tuple | Mapping):
            right = to_text(right, budget)
        if isinstance(left, str) and isinstance(right, str):
            return operation(left, right)
        return operation(to_number(left), to_number(right))

    return apply


def contains(needle: Value, haystack: Value, budget: Budget) -> bool:
    """``in``: an item of a list, a part of a text, a key of an object."""
    if is_list(haystack):
        budget.spend(1 + len(haystack))
        return any(same(needle, item) for item in haystack)
    if isinstance(haystack, str):
        return spoken(needle, budget) in haystack
    if isinstance(haystack, Mapping):
        return spoken(needle, budget) in haystack
    raise TemplateError("The right side of 'in' must be a list, a text or an object.")


BINARY: dict[str, Callable[[Value, Value, Budget], Value]] = {
    "+": _add,
    "~": concatenate,
    "-": _arithmetic(lambda a, b: a - b),
    "*": _arithmetic(lambda a, b: a * b),
    "/": _arithmetic(_divide),
    "//": _arithmetic(_floor_divide),
    "%": _arithmetic(_remainder),
    "**": _arithmetic(_power),
    "==": equal,
    "!=": lambda a, b, budget: not equal(a, b, budget),
    "===": lambda a, b, budget: same(a, b),
    "!==": lambda a, b, budget: not same(a, b),
    "<": _ordering(lambda a, b: a < b),  # type: ignore[operator]
    ">": _ordering(lambda a, b: a > b),  # type: ignore[operator]
    "<=": _ordering(lambda a, b: a <= b),  # type: ignore[operator]
    ">=": _ordering(lambda a, b: a >= b),  # type: ignore[operator]
    "in": contains,
}
"""All binary operators except ``and`` and ``or``, which do not always look at their right side."""


def slice_items(target: Value, start: Value, stop: Value, step: Value, budget: Budget) -> list[Value]:
    """``target[start:stop:step]`` as a list, also of a text."""
    if not isinstance(target, list | tuple | str):
        return []
    bounds = [None if part is None else whole(part, 0) for part in (start, stop, step)]
    if bounds[2] == 0:
        raise TemplateError("The step of a slice can not be 0.")
    chosen = target[slice(*bounds)]
    budget.items(len(chosen))
    return list(chosen)


def attribute(value: Value, path: str, budget: Budget) -> Value:
    """``a.b.c`` below a value, for filters that are given the name of a member."""
    for part in path.split("."):
        value = member(value, part, budget)
        budget.spend()
    return value
