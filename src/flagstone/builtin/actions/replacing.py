"""Replacing by regular expressions that anybody may have written: in linear time, and not for long."""

from __future__ import annotations

import time
from typing import Any

import re2  # type: ignore[import-untyped]  # it brings no types

from flagstone.kernel.errors import Invalid, Problem

_MOST_BYTES = 20_000_000
_MOST_PATTERN = 10_000
_MOST_GROUPS = 100
_MOST_EFFORT = 1_000_000_000
"""Length of a text times size of the program that a pattern becomes: what one search may cost, some seconds at most."""
_MOST_SECONDS = 5.0
"""Processor time of all matches of a step together."""
_LOOK_EVERY = 100


class Replacing:
    """The replacements of one step, which share its time."""

    def __init__(self) -> None:
        self._until = time.thread_time() + _MOST_SECONDS

    @staticmethod
    def pattern(find: str, field: str) -> Any:
        """The pattern, ready to be used. Raises Invalid for one that is none, or is too large, with its field."""
        options = re2.Options()
        options.log_errors = False
        options.max_mem = 8 << 20
        said, hint = "", "Look-around and back-references are not available."
        found = None
        if len(find) > _MOST_PATTERN:
            said = f"it has {len(find):,} characters"
            hint = f"A pattern has at most {_MOST_PATTERN:,} characters."
        else:
            try:
                found = re2.compile(find, options)
            except re2.error as error:
                said = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        if found is not None and found.groups > _MOST_GROUPS:
            said, hint = f"it has {found.groups:,} groups", f"A pattern has at most {_MOST_GROUPS} groups."
        if said:
            message = f"The pattern {find!r:.200} cannot be used."
            raise Invalid("actions.bad_pattern", message, hint=hint, problems=[Problem(said, field=field)])
        return found

    def substituted(self, pattern: Any, text: str, new: str, path: str) -> str:
        """The text with every match replaced; ``$1``, ``$&`` as in JavaScript. Raises Invalid beyond the limits."""
        if len(text) * pattern.programsize > _MOST_EFFORT:
            raise _too_costly(path)
        parts, at, size = [], 0, 0
        for number, match in enumerate(pattern.finditer(text)):
            if number % _LOOK_EVERY == 0 and time.thread_time() > self._until:
                raise _too_costly(path)
            filled = _filled(new, match) if "$" in new else new
            parts += [text[at : match.start()], filled]
            size += len(parts[-1]) + len(parts[-2])
            check_size(size, path)
            at = match.end()
        return "".join([*parts, text[at:]])


def check_size(size: int, path: str) -> None:
    """Raises Invalid for more characters than a file may have."""
    if size > _MOST_BYTES:
        raise Invalid("actions.too_large", f"{path} would grow too large.", hint=f"At most {_MOST_BYTES:,} characters.")


def _too_costly(path: str) -> Invalid:
    return Invalid(
        "actions.pattern_too_costly",
        f"Replacing by this pattern in {path} takes too long.",
        hint=f"Use a shorter pattern or a smaller file: a step may take {_MOST_SECONDS:g} s of processor time for it.",
    )


def _filled(new: str, match: Any) -> str:
    """``$1``, ``$&`` and ``$$`` as in JavaScript; a group that does not exist stays as it is written."""
    parts, at, groups = [], 0, match.groups()
    while (found := new.find("$", at)) != -1 and found + 1 < len(new):
        parts.append(new[at:found])
        digits = new[found + 1 : found + 3]
        digits = digits if digits.isdecimal() and 0 < int(digits) <= len(groups) else digits[:1]
        if digits.isdecimal() and 0 < int(digits) <= len(groups):
            parts.append(groups[int(digits) - 1] or "")
            at = found + 1 + len(digits)
            continue
        parts.append({"$": "$", "&": match.group(0)}.get(digits, f"${digits}"))
        at = found + 2
    return "".join([*parts, new[at:]])
