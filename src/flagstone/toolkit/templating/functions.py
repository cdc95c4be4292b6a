"""The functions that every template may call."""

# ruff: noqa: ARG001, ARG005 - every function in the tables has the same signature
from __future__ import annotations

import math
from collections.abc import Callable

from flagstone.toolkit.templating.counters import Cycler, Joiner
from flagstone.toolkit.templating.faults import TemplateError
from flagstone.toolkit.templating.limits import Budget
from flagstone.toolkit.templating.values import UNDEFINED, Value, whole


def _range(budget: Budget, start: Value, stop: Value = UNDEFINED, step: Value = 1) -> list[int]:
    first, last = (0, whole(start, 0)) if stop is UNDEFINED else (whole(start, 0), whole(stop, 0))
    stride = whole(step, 1)
    if stride == 0:
        raise TemplateError("The step of range() can not be 0.")
    budget.items(max(0, math.ceil((last - first) / stride)))
    return list(range(first, last, stride))


def _joiner(budget: Budget, separator: Value = ",") -> Joiner:
    return Joiner(separator)


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "always": lambda budget: True,
    "cycler": lambda budget, *items: Cycler(items),
    "failure": lambda budget: False,
    "joiner": _joiner,
    "range": _range,
}
"""Name to function ``(budget, *arguments)``. ``always`` and ``failure`` are told otherwise by whoever runs steps."""
