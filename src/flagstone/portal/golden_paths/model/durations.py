"""The longest time of a step, as a template writes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MAX_SECONDS = 86_400.0
"""A day. What takes longer waits (``debug:wait``, an approval) instead of running."""
_MOST = 50
_UNITS = (86_400, 3_600, 60, 1)
_NAMED = {"days": 86_400.0, "hours": 3_600.0, "minutes": 60.0, "seconds": 1.0, "milliseconds": 0.001}
_TEXT = re.compile(r"\s*(?:(\d+)d)?\s*(?:(\d+)h)?\s*(?:(\d+)m)?\s*(?:(\d+(?:\.\d+)?)s)?\s*")
HINT = "Write seconds (600), a text such as 10m or 1h 30m, or minutes: 10."


def step_timeout(value: Any) -> float:
    """Seconds of ``timeout``. Raises ValueError that says what is wrong."""
    seconds = _seconds(value)
    if seconds is None:
        raise ValueError("this is no length of time")
    if not 0 < seconds <= MAX_SECONDS:
        raise ValueError("a step takes more than no time and at most a day")
    return seconds


def _seconds(value: Any) -> float | None:
    if _is_number(value):
        return float(value)
    if isinstance(value, Mapping):
        return _of_parts(value)
    return _of_text(value.strip()) if isinstance(value, str) and len(value) <= _MOST else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _of_parts(parts: Mapping[Any, Any]) -> float | None:
    if not parts or any(name not in _NAMED or not _is_number(number) for name, number in parts.items()):
        return None
    return float(sum(_NAMED[name] * number for name, number in parts.items()))


def _of_text(text: str) -> float | None:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    found = _TEXT.fullmatch(text)
    if found is None or not any(found.groups()):
        return None
    return sum(float(part or 0) * unit for part, unit in zip(found.groups(), _UNITS, strict=True))
