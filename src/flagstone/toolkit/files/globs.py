"""Glob patterns over relative paths with ``/``: ``*``, ``?``, ``[a-z]``, ``{a,b}``, ``**`` and a leading ``!``.

Matched without regular expressions, so that no pattern can be slow: the cost is pattern length times path length.
"""

from __future__ import annotations

from collections.abc import Sequence

from flagstone.kernel.errors import Invalid

_MAX_LENGTH = 1_000
_MAX_ALTERNATIVES = 100


class GlobSet:
    """Patterns of which later ones with ``!`` take out again what earlier ones chose.

    As in Backstage, hidden files match and a pattern that names a folder means everything below it.
    Raises Invalid (``files.bad_glob``) for a pattern that is too long or has too many alternatives.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._rules = [
            (not pattern.startswith("!"), segments)
            for pattern in patterns
            for segments in _alternatives(pattern.removeprefix("!"))
        ]

    def matches(self, path: str) -> bool:
        """Whether the path, or a folder that holds it, is chosen."""
        parts = path.strip("/").split("/")
        chosen = False
        for positive, pattern in self._rules:
            if chosen is not positive and _below(pattern, parts):
                chosen = positive
        return chosen


def _alternatives(pattern: str) -> list[list[str]]:
    """A pattern without braces, cut into segments, for each choice in its braces."""
    if len(pattern) > _MAX_LENGTH:
        raise Invalid("files.bad_glob", f"The pattern {pattern[:60]!r}… is longer than {_MAX_LENGTH} characters.")
    found: list[str] = []
    waiting = [pattern.removeprefix("./").strip("/")]
    while waiting:
        text = waiting.pop()
        choices = _braces(text)
        if choices is None:
            found.append(text)
        else:
            start, close = choices
            waiting += [text[:start] + choice + text[close + 1 :] for choice in text[start + 1 : close].split(",")]
        if len(found) + len(waiting) > _MAX_ALTERNATIVES:
            raise Invalid("files.bad_glob", f"The pattern {pattern!r} has more than {_MAX_ALTERNATIVES} alternatives.")
    return [[part for part in text.split("/") if part and part != "."] for text in found]


def _braces(text: str) -> tuple[int, int] | None:
    """The first innermost ``{…}`` that offers a choice; braces without a comma stand for themselves."""
    opened: list[int] = []
    for at, char in enumerate(text):
        if char == "{":
            opened.append(at)
        elif char == "}" and opened:
            start = opened.pop()
            if "," in text[start:at]:
                return start, at
    return None


def _below(pattern: list[str], parts: list[str]) -> bool:
    """Whether the pattern matches the path or one of its folders. ``reached`` holds positions in the pattern."""
    if not pattern:
        return False
    reached = _skip_stars({0}, pattern)
    for part in parts:
        step = set[int]()
        for at in reached:
            if at < len(pattern) and _fits(pattern[at], part):
                step |= {at, at + 1} if pattern[at] == "**" else {at + 1}
        reached = _skip_stars(step, pattern)
        if len(pattern) in reached:
            return True
    return False


def _skip_stars(reached: set[int], pattern: list[str]) -> set[int]:
    more = set(reached)
    for at in range(len(pattern)):
        # A final ** needs at least one segment below: "a/**" does not match "a" itself.
        if at in more and pattern[at] == "**" and at + 1 < len(pattern):
            more.add(at + 1)
    return more


def _fits(pattern: str, text: str) -> bool:
    """One segment against one name, greedy with a single point to fall back to: linear times linear."""
    if pattern == "**":
        return True
    at = place = 0
    star, resume = -1, 0
    while at < len(text):
        width = _one(pattern, place, text[at])
        if width:
            at, place = at + 1, place + width
        elif place < len(pattern) and pattern[place] == "*":
            star, resume = place, at
            place += 1
        elif star >= 0:
            resume += 1
            at, place = resume, star + 1
        else:
            return False
    return all(char == "*" for char in pattern[place:])


def _one(pattern: str, place: int, char: str) -> int:
    """How many characters of the pattern match this one character; 0 when it does not."""
    if place >= len(pattern) or pattern[place] == "*":
        return 0
    if pattern[place] == "?":
        return 1
    close = pattern.find("]", place + 2)
    if pattern[place] == "[" and close > 0:
        return close + 1 - place if _in_class(pattern[place + 1 : close], char) else 0
    if pattern[place] == "\\" and place + 1 < len(pattern):
        return 2 if pattern[place + 1] == char else 0
    return 1 if pattern[place] == char else 0


def _in_class(members: str, char: str) -> bool:
    negated = members[0] in "!^"
    members = members[negated:]
    at, found = 0, False
    while at < len(members):
        if at + 2 < len(members) and members[at + 1] == "-":
            found |= members[at] <= char <= members[at + 2]
            at += 3
        else:
            found |= members[at] == char
            at += 1
    return found is not negated
