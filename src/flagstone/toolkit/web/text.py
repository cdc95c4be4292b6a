"""Values as people read them: ages, durations, sizes, initials, HTML attributes. Used as template filters.

No locale handling: English words, numbers with a space before the unit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from markupsafe import Markup, escape

_ANSI = re.compile(r"(?:\x1b\[|\x9b)[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_STEPS = ((60, "s"), (60, "min"), (24, "h"), (30, "d"), (12, "months"))


def duration(seconds: float) -> str:
    """A length of time: ``0.4 s``, ``12 s``, ``3 min 5 s``, ``2 h 10 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(whole // 60, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def age(when: datetime, now: datetime | None = None) -> str:
    """How long ago, coarsely and without the word: ``now``, ``40 s``, ``12 min``, ``3 h``, ``9 d``, ``4 months``."""
    seconds = ((now or datetime.now(UTC)) - when).total_seconds()
    if seconds < 5:
        return "now"
    amount = seconds
    for step, unit in _STEPS:
        if amount < step:
            return _amount(int(amount), unit)
        amount /= step
    return _amount(int(amount), "years")


def _amount(number: int, unit: str) -> str:
    return f"{number} {unit[:-1]}" if number == 1 and unit in ("months", "years") else f"{number} {unit}"


def ago(when: datetime, now: datetime | None = None) -> str:
    """How long ago, in words: ``just now``, ``12 min ago``."""
    text = age(when, now)
    return "just now" if text == "now" else f"{text} ago"


def timestamp(when: datetime) -> str:
    """The exact moment in UTC, for a tooltip: ``2026-03-01 14:02:11 UTC``."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def filesize(count: int) -> str:
    """A number of bytes: ``512 B``, ``14 KB``, ``2.3 MB``."""
    if count < 1024:
        return f"{count} B"
    amount = count / 1024
    for unit in ("KB", "MB", "GB"):
        if amount < 1024:
            return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TB"


def plain(line: str) -> str:
    """A line of output without terminal colours and control characters."""
    return _CONTROL.sub("", _ANSI.sub("", line))


def initials(name: str) -> str:
    """One or two letters that stand for a name: ``Maya Lindt`` -> ``ML``, ``payments`` -> ``PA``."""
    words = [word for word in name.replace("-", " ").replace("_", " ").replace(".", " ").split() if word]
    if len(words) >= 2:
        return (words[0][0] + words[-1][0]).upper()
    return (words[0][:2] if words else "?").upper()


def hue(name: str) -> int:
    """A stable colour angle (0 to 359) for a name."""
    value = 7
    for char in name:
        value = (value * 31 + ord(char)) % 360
    return value


def attributes(values: Mapping[str, object] | None) -> Markup:
    """HTML attributes from a mapping: True is a bare attribute; None and False leave it out; the rest is escaped."""
    parts = []
    for name, value in (values or {}).items():
        if value is None or value is False:
            continue
        if any(char in name for char in " \"'<>/=\t\n"):
            raise ValueError(f"{name!r} cannot be an HTML attribute name")
        parts.append(str(escape(name)) if value is True else f'{escape(name)}="{escape(value)}"')
    return Markup(" " + " ".join(parts)) if parts else Markup("")  # noqa: S704  every part was escaped
