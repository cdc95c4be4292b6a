"""The filters of Nunjucks, for values and lists. Texts have theirs in ``text_filters``, Backstage's in ``backstage``.

``random`` is left out: the same inputs must give the same plan. Every filter is linear in what it is given and
charges the budget before it builds anything.
"""

# ruff: noqa: ARG001 - every function in the tables has the same signature
from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import cmp_to_key
from typing import Any

from flagstone.toolkit.templating import backstage, text_filters
from flagstone.toolkit.templating.checks import check
from flagstone.toolkit.templating.faults import TemplateError
from flagstone.toolkit.templating.limits import Budget
from flagstone.toolkit.templating.operators import attribute
from flagstone.toolkit.templating.values import (
    UNDEFINED,
    Value,
    is_number,
    number,
    to_json,
    to_number,
    to_text,
    truthy,
    whole,
)

FilterFunction = Callable[..., Value]


def _items(value: Value, budget: Budget) -> list[Value]:
    """A list to work on: of a list its items, of a text its characters, of nothing none."""
    if value is None or value is UNDEFINED:
        return []
    if isinstance(value, int | float):
        return []
    if not isinstance(value, list | tuple | str):
        raise TemplateError("This filter needs a list.")
    budget.items(len(value))
    return list(value)


def _default(budget: Budget, value: Value, default: Value = "", boolean: Value = False) -> Value:
    if truthy(boolean):
        return value if truthy(value) else default
    return default if value is UNDEFINED else value


def _length(budget: Budget, value: Value) -> Value:
    return len(value) if isinstance(value, list | tuple | str | Mapping) else UNDEFINED if is_number(value) else 0


def _end(place: int) -> FilterFunction:
    def end(budget: Budget, value: Value) -> Value:
        return value[place] if isinstance(value, list | tuple | str) and value else UNDEFINED

    return end


def _join(budget: Budget, value: Value, separator: Value = "", attr: Value = UNDEFINED) -> str:
    items = _items(value, budget)
    if attr is not UNDEFINED:
        items = [attribute(item, to_text(attr, budget), budget) for item in items]
    parts, mark = [to_text(item, budget) for item in items], to_text(separator, budget)
    budget.text(sum(map(len, parts)) + len(mark) * len(parts))
    return mark.join(parts)


def _reverse(budget: Budget, value: Value) -> Value:
    items = _items(value, budget)[::-1]
    return "".join(items) if isinstance(value, str) else items


def _compare(budget: Budget) -> Callable[[Value, Value], int]:
    def compare(left: Value, right: Value) -> int:
        budget.spend()
        if is_number(left) and is_number(right):
            return int(left > right) - int(left < right)
        first, second = to_text(left, budget), to_text(right, budget)
        return (first > second) - (first < second)

    return compare


def _folded(value: Value, case_sensitive: Value) -> Value:
    return value.lower() if isinstance(value, str) and not truthy(case_sensitive) else value


def _sort(
    budget: Budget, value: Value, reverse: Value = False, case_sens: Value = False, attr: Value = UNDEFINED
) -> list[Value]:
    path = to_text(attr, budget)
    compare = cmp_to_key(_compare(budget))
    return sorted(
        _items(value, budget),
        key=lambda item: compare(_folded(attribute(item, path, budget) if path else item, case_sens)),
        reverse=truthy(reverse),
    )


def _dictsort(budget: Budget, value: Value, case_sensitive: Value = False, by: Value = "key") -> list[Value]:
    if not isinstance(value, Mapping):
        raise TemplateError("dictsort needs an object.")
    budget.items(len(value))
    place = {"key": 0, "value": 1}.get(by if isinstance(by, str) else "")
    if place is None:
        raise TemplateError("dictsort sorts by 'key' or 'value'.")
    compare: Callable[[Value], Any] = cmp_to_key(_compare(budget))
    pairs = [[key, item] for key, item in value.items()]
    return sorted(pairs, key=lambda pair: compare(_folded(pair[place], case_sensitive)))


def _list(budget: Budget, value: Value) -> list[Value]:
    if isinstance(value, Mapping):
        budget.items(len(value))
        return [{"key": key, "value": item} for key, item in value.items()]
    return _items(value, budget)


def dump(budget: Budget, value: Value, spaces: Value = 0) -> Value:
    """``dump(2)``: JSON text as ``JSON.stringify`` writes it."""
    plain = to_json(value, budget)
    if plain is UNDEFINED:
        return UNDEFINED
    indent = max(0, min(10, whole(spaces, 0))) if is_number(spaces) else 0
    separators = (",", ": ") if indent else (",", ":")
    text = json.dumps(plain, ensure_ascii=False, indent=indent or None, separators=separators)
    budget.text(len(text))
    return text


def _batch(budget: Budget, value: Value, size: Value, fill: Value = UNDEFINED) -> list[Value]:
    items, width = _items(value, budget), whole(size, 0)
    if width < 1:
        raise TemplateError("batch needs a size of at least 1.")
    rows = [items[at : at + width] for at in range(0, len(items), width)]
    if rows and truthy(fill):
        budget.items(width)
        rows[-1] += [fill] * (width - len(rows[-1]))
    return rows


def _slice(budget: Budget, value: Value, slices: Value, fill: Value = UNDEFINED) -> list[Value]:
    items, count = _items(value, budget), whole(slices, 0)
    if count < 1:
        raise TemplateError("slice needs a number of at least 1.")
    budget.items(count)
    size, extra = divmod(len(items), count)
    rows: list[Any] = []
    at = 0
    for index in range(count):
        width = size + (index < extra)
        row = items[at : at + width]
        at += width
        if isinstance(value, str):
            rows.append("".join(row))
            continue
        rows.append([*row, fill] if truthy(fill) and index >= extra else row)
    return rows


def _selector(keep: bool) -> FilterFunction:
    def select(budget: Budget, value: Value, test: Value = "truthy", argument: Value = UNDEFINED) -> list[Value]:
        arguments = [] if argument is UNDEFINED else [argument]
        name = to_text(test, budget)
        return [item for item in _items(value, budget) if check(name, item, arguments, budget) is keep]

    return select


def _attribute_selector(keep: bool) -> FilterFunction:
    def select(budget: Budget, value: Value, attr: Value) -> list[Value]:
        path = to_text(attr, budget)
        return [item for item in _items(value, budget) if truthy(attribute(item, path, budget)) is keep]

    return select


def _groupby(budget: Budget, value: Value, attr: Value) -> dict[str, list[Value]]:
    groups: dict[str, list[Value]] = {}
    path = to_text(attr, budget)
    for item in _items(value, budget):
        groups.setdefault(to_text(attribute(item, path, budget), budget), []).append(item)
    # JavaScript lists whole numbers first, and in their order.
    numbered = {name for name in groups if name.isascii() and name.isdigit() and str(int(name)) == name}
    rest = [name for name in groups if name not in numbered]
    return {name: groups[name] for name in [*sorted(numbered, key=int), *rest]}


def _sum(budget: Budget, value: Value, attr: Value = UNDEFINED, start: Value = 0) -> Value:
    path = to_text(attr, budget)
    items = [attribute(item, path, budget) if path else item for item in _items(value, budget)]
    return number(to_number(start) + sum(map(to_number, items)))


def _round(budget: Budget, value: Value, precision: Value = 0, method: Value = "common") -> Value:
    factor = 10.0 ** max(-15, min(15, whole(precision, 0)))
    scaled = to_number(value) * factor
    if not math.isfinite(scaled):
        return to_number(value)
    steps = {"ceil": math.ceil, "floor": math.floor}
    how = steps.get(method if isinstance(method, str) else "", lambda x: math.floor(x + 0.5))
    return number(how(scaled) / factor)


def _abs(budget: Budget, value: Value) -> Value:
    return number(abs(to_number(value)))


FILTERS: dict[str, FilterFunction] = {
    **text_filters.FILTERS,
    **backstage.FILTERS,
    "abs": _abs,
    "batch": _batch,
    "d": _default,
    "default": _default,
    "dictsort": _dictsort,
    "dump": dump,
    "first": _end(0),
    "groupby": _groupby,
    "join": _join,
    "last": _end(-1),
    "length": _length,
    "list": _list,
    "reject": _selector(False),
    "rejectattr": _attribute_selector(False),
    "reverse": _reverse,
    "round": _round,
    "select": _selector(True),
    "selectattr": _attribute_selector(True),
    "slice": _slice,
    "sort": _sort,
    "sum": _sum,
}
"""Name to function ``(budget, value, *arguments)``."""

COOKIECUTTER_FILTERS: dict[str, FilterFunction] = {"jsonify": dump}
"""More of them where a template is read in cookiecutter's way."""
