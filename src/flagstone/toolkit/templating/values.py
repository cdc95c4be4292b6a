"""How values behave: JavaScript's rules for truth, equality, numbers and printing, over plain JSON data.

Only ``None``, ``bool``, ``int``, ``float``, ``str``, ``list`` (or tuple), ``dict`` and :data:`UNDEFINED` are values.
Nothing here, or anywhere in this package, looks up an attribute of a Python object by a name from a template.
Text is counted in Unicode characters, not in UTF-16 units.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, TypeAlias

from flagstone.toolkit.templating.faults import TemplateError
from flagstone.toolkit.templating.limits import Budget

JSON: TypeAlias = Any
"""Plain JSON data: None, bool, int, float, str, list, dict with text keys."""

Value: TypeAlias = Any
"""JSON or UNDEFINED, inside the engine."""


class Undefined(Enum):
    """The type of :data:`UNDEFINED`."""

    UNDEFINED = "undefined"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED: Final = Undefined.UNDEFINED
"""A value that is not there: prints as nothing; a key that holds it is left out."""

_SAFE_INTEGER = 2**53


def is_number(value: Value) -> bool:
    """True for int and float, not for bool."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_list(value: Value) -> bool:
    """True for the two Python forms of a JSON array."""
    return isinstance(value, list | tuple)


def _is_nan(value: float) -> bool:
    return isinstance(value, float) and math.isnan(value)


def truthy(value: Value) -> bool:
    """JavaScript's truth: empty lists and objects are true."""
    if value is UNDEFINED or value is None or value is False:
        return False
    if isinstance(value, int | float):
        return value != 0 and not _is_nan(value)
    if isinstance(value, str):
        return value != ""
    return True


def number(value: float) -> float:
    """A result of arithmetic: whole numbers become int, so that they print and serialise without a point."""
    if isinstance(value, int):
        return value if -_SAFE_INTEGER <= value <= _SAFE_INTEGER else float(value)
    if math.isfinite(value) and value.is_integer() and abs(value) <= _SAFE_INTEGER:
        return int(value)
    return value


def to_number(value: Value) -> float:
    """JavaScript's ToNumber; NaN when there is none."""
    if isinstance(value, bool) or value is None:
        return int(value or 0)
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return _text_to_number(value)
    if is_list(value) and not value:
        return 0
    alone = is_list(value) and len(value) == 1 and not _composite(value[0])
    return to_number(value[0]) if alone else math.nan


def whole(value: Value, default: int) -> int:
    """An index or count: the default when absent, 0 for what is not a number, kept within reach."""
    if value is UNDEFINED or value is None:
        return default
    count = to_number(value)
    if _is_nan(count):
        return 0
    return int(max(-(2**53), min(2**53, count)))


def _text_to_number(text: str) -> float:
    text = text.strip()
    if not text:
        return 0
    if len(text) > 400 or "_" in text or text.lower().lstrip("+-") in {"inf", "nan", "infinity"}:
        return math.nan
    try:
        return number(float(text))
    except ValueError:
        return math.nan


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _number_text(value: float) -> str:
    if isinstance(value, int):
        return str(value) if abs(value) <= _SAFE_INTEGER else _number_text(_as_float(value))
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value.is_integer() and abs(value) < 1e21:
        return _long_text(value)
    text = repr(value)
    mantissa, exponent, power = text.partition("e")
    if exponent and -7 < int(power) < 0:
        return f"{value:.{len(mantissa.replace('-', '').replace('.', '')) - 1 - int(power)}f}"
    return f"{mantissa.removesuffix('.0')}e{int(power):+d}" if exponent else text


def _long_text(value: float) -> str:
    """The shortest digits that mean this number, then zeros: JavaScript does not print digits that it does not know."""
    mantissa, exponent, power = repr(value).partition("e")
    if not exponent:
        return mantissa.removesuffix(".0")
    whole_part, _, rest = mantissa.partition(".")
    return whole_part + rest.ljust(int(power), "0")


def to_text(value: Value, budget: Budget) -> str:
    """How a value prints: null and undefined as nothing, lists joined with commas, objects as ``[object Object]``."""
    if isinstance(value, str):
        return value
    if value is None or value is UNDEFINED:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number_text(value)
    if is_list(value):
        budget.enter()
        budget.items(len(value))
        parts = [to_text(item, budget) for item in value]
        budget.text(sum(map(len, parts)) + len(parts))
        budget.leave()
        return ",".join(parts)
    if isinstance(value, Mapping):
        return "[object Object]"
    raise TemplateError("This is a function, not a value; call it with ().")


def same(left: Value, right: Value) -> bool:
    """``===``: same type and same value; lists and objects only when they are the same one."""
    if is_number(left) and is_number(right):
        return bool(left == right)
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    return left is right


def equal(left: Value, right: Value, budget: Budget) -> bool:
    """``==``: JavaScript's loose equality."""
    absent = (None, UNDEFINED)
    if left in absent or right in absent:
        return left in absent and right in absent
    left_composite, right_composite = _composite(left), _composite(right)
    if left_composite and right_composite:
        return left is right
    if left_composite:
        left = to_text(left, budget)
    if right_composite:
        right = to_text(right, budget)
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    return to_number(left) == to_number(right)


def _composite(value: Value) -> bool:
    return isinstance(value, list | tuple | Mapping)


def to_json(value: Value, budget: Budget) -> Value:
    """A plain copy for the outside; undefined members of objects are left out, in lists they become null."""
    if value is None or value is UNDEFINED or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        budget.text(len(value))
        return str(value)
    if isinstance(value, float):
        return number(value) if math.isfinite(value) else None
    if not _composite(value):
        raise TemplateError("This is a function, not a value; call it with ().")
    budget.enter()
    budget.items(len(value))
    copy: Value
    if isinstance(value, Mapping):
        members = ((str(key), to_json(item, budget)) for key, item in value.items())
        copy = {key: item for key, item in members if item is not UNDEFINED}
    else:
        copy = [None if item is UNDEFINED else to_json(item, budget) for item in value]
    budget.leave()
    return copy


def member(target: Value, key: Value, budget: Budget) -> Value:
    """``target[key]``: own members of objects, items and ``length`` of lists and texts; anything else is undefined."""
    if isinstance(target, Mapping):
        return target.get(key if isinstance(key, str) else to_text(key, budget), UNDEFINED)
    if not isinstance(target, list | tuple | str):
        return UNDEFINED
    if key == "length":
        return len(target)
    index = _index(key)
    return target[index] if index is not None and index < len(target) else UNDEFINED


def _index(key: Value) -> int | None:
    if isinstance(key, bool):
        return None
    if isinstance(key, str):
        return int(key) if key.isascii() and key.isdigit() and len(key) < 16 and str(int(key)) == key else None
    if isinstance(key, float):
        return int(key) if key >= 0 and key.is_integer() else None
    return key if isinstance(key, int) and key >= 0 else None
