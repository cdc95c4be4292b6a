"""Regular expressions that users write in templates (``r/[^a-z]+/g``), matched in linear time.

Python's own engine backtracks and can be made to hang, so a pattern is compiled to a small automaton whose threads
advance together (Thompson, Pike). Look-around is a small automaton of its own at each place where it stands, which the
budget pays for. No back-references; TemplateError says so.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from flagstone.toolkit.templating.faults import TemplateError
from flagstone.toolkit.templating.limits import Budget

_MAX_PROGRAM = 1_000
_MAX_REPEAT = 200
_SPACE = " \t\n\r\f\v\u00a0\ufeff\u2028\u2029"

_LOOKS = ("?<=", "?<!", "?=", "?!")
_CATEGORIES = {
    "Letter": "L",
    "Uppercase_Letter": "Lu",
    "Lowercase_Letter": "Ll",
    "Number": "N",
    "Punctuation": "P",
    "Symbol": "S",
    "Separator": "Z",
    "Mark": "M",
}

Accepts = Callable[[str], bool]
_Thread = tuple[int, tuple[int, ...]]
"""Where in the program, and the places saved on the way there."""


@dataclass(frozen=True, slots=True)
class Match:
    """Where a pattern matched; ``groups`` are texts, None for a group that took no part."""

    start: int
    end: int
    groups: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """One instruction: ``accepts`` consumes a character; ``ways`` are relative jumps, the preferred one first."""

    kind: str
    accepts: Accepts | None = None
    ways: tuple[int, ...] = ()
    slot: int = 0
    look: tuple[_Step, ...] = ()
    """The program of a look-around; ``kind`` says which: ``(?=`` ``(?!`` ``(?<=`` ``(?<!``."""


def _fork(more: int, enough: int, lazy: bool) -> _Step:
    return _Step("split", ways=(enough, more) if lazy else (more, enough))


def _word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char == "_")


_CLASSES: dict[str, Accepts] = {
    "d": lambda char: "0" <= char <= "9",
    "D": lambda char: not "0" <= char <= "9",
    "w": _word,
    "W": lambda char: not _word(char),
    "s": lambda char: char in _SPACE,
    "S": lambda char: char not in _SPACE,
}
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "0": "\0"}


class _Compiler:
    """Recursive descent straight to instructions; the first group is the whole match."""

    def __init__(self, source: str, fold: bool, budget: Budget) -> None:
        self._source = source
        self._fold = fold
        self._budget = budget
        self._at = 0
        self.groups = 1
        self.program: list[_Step] = []

    def compile(self) -> None:
        self._alternatives()
        if self._at < len(self._source):
            raise TemplateError(f"The pattern /{self._source}/ has an unmatched ).")
        self._emit(_Step("match"))

    def _emit(self, *steps: _Step) -> None:
        self._budget.spend(len(steps))
        if len(self.program) + len(steps) > _MAX_PROGRAM:
            raise TemplateError("The pattern is too large.")
        self.program += steps

    def _take_back(self, begin: int) -> list[_Step]:
        """Remove what was emitted since ``begin``, to emit it again in another shape."""
        body = self.program[begin:]
        del self.program[begin:]
        return body

    def _peek(self) -> str:
        return self._source[self._at : self._at + 1]

    def _alternatives(self) -> None:
        begin = len(self.program)
        bodies = []
        while True:
            self._sequence()
            bodies.append(self._take_back(begin))
            if self._peek() != "|":
                break
            self._at += 1
        whole = bodies.pop()
        while bodies:
            body = bodies.pop()
            self._budget.spend(len(whole))
            whole = [_Step("split", ways=(1, len(body) + 2)), *body, _Step("jump", ways=(len(whole) + 1,)), *whole]
        self._emit(*whole)

    def _sequence(self) -> None:
        while (char := self._peek()) and char not in "|)":
            begin = len(self.program)
            self._atom()
            self._repeat(begin)

    def _atom(self) -> None:
        char = self._peek()
        self._at += 1
        if char == "(":
            self._group()
        elif char in "^$":
            self._emit(_Step("start" if char == "^" else "end"))
        elif char == ".":
            self._emit(_Step("char", lambda other: other != "\n"))
        elif char == "[":
            self._emit(_Step("char", self._set()))
        elif char == "\\" and self._peek() and self._peek() in "bB":
            self._emit(_Step("boundary" if self._peek() == "b" else "inside"))
            self._at += 1
        elif char == "\\":
            accepts = self._escape()
            self._emit(_Step("char", accepts if callable(accepts) else self._exactly(accepts)))
        elif char in "*+?":
            raise TemplateError(f"The pattern /{self._source}/ repeats nothing.")
        else:
            self._emit(_Step("char", self._exactly(char)))

    def _group(self) -> None:
        slot, look = -1, next((mark for mark in _LOOKS if self._source.startswith(mark, self._at)), "")
        if look:
            self._look(look)
            return
        if self._source.startswith("?:", self._at):
            self._at += 2
        else:
            self._name()
            slot, self.groups = self.groups, self.groups + 1
            self._emit(_Step("save", slot=2 * slot))
        self._budget.enter()
        self._alternatives()
        self._budget.leave()
        if self._peek() != ")":
            raise TemplateError(f"The pattern /{self._source}/ has an unclosed (.")
        self._at += 1
        if slot >= 0:
            self._emit(_Step("save", slot=2 * slot + 1))

    def _name(self) -> None:
        """Pass over the name of a group; it is a group as any other here."""
        if self._peek() != "?":
            return
        close = self._source.find(">", self._at, self._at + 60)
        if not self._source.startswith("?<", self._at) or close < 0:
            raise TemplateError(f"The pattern /{self._source}/ has an unknown kind of group.")
        self._at = close + 1

    def _look(self, mark: str) -> None:
        begin = len(self.program)
        self._at += len(mark)
        self._budget.enter()
        self._alternatives()
        self._budget.leave()
        if self._peek() != ")":
            raise TemplateError(f"The pattern /{self._source}/ has an unclosed (.")
        self._at += 1
        inner = tuple(self._take_back(begin))
        self._emit(_Step(mark, look=(*inner, _Step("match"))))

    def _exactly(self, wanted: str) -> Accepts:
        if self._fold:
            lower = wanted.lower()
            return lambda char: char.lower() == lower
        return lambda char: char == wanted

    def _escape(self) -> Accepts | str:
        char = self._peek()
        self._at += 1
        if not char or (char.isdigit() and char != "0"):
            raise TemplateError("Back-references are not available in patterns.")
        if char in "pP" and self._peek() == "{":
            return self._category(negated=char == "P")
        if char in "ux":
            return self._code(char)
        if char == "k" and self._peek() == "<":
            raise TemplateError("Back-references are not available in patterns.")
        return _CLASSES.get(char) or _CONTROLS.get(char, char)

    def _code(self, char: str) -> str:
        r"""The character of ``\\x41``, ``\\u0041`` or ``\\u{1F600}``; the letter itself when no number follows."""
        if char == "u" and self._peek() == "{":
            close = self._source.find("}", self._at, self._at + 8)
            digits, after = self._source[self._at + 1 : max(close, self._at + 1)], close + 1
        else:
            after = self._at + (4 if char == "u" else 2)
            digits = self._source[self._at : after]
        try:
            found = chr(int(digits, 16)) if digits.isalnum() else char
        except (ValueError, OverflowError):
            return char
        self._at = after if digits.isalnum() else self._at
        return found

    def _category(self, *, negated: bool) -> Accepts:
        close = self._source.find("}", self._at, self._at + 60)
        name = self._source[self._at + 1 : close].rpartition("=")[2] if close > 0 else ""
        short = _CATEGORIES.get(name, name)
        if not short or len(short) > 2:
            raise TemplateError(f"The pattern /{self._source}/ has an unknown class \\p{{{name}}}.")
        self._at = close + 1
        return lambda char: unicodedata.category(char).startswith(short) is not negated

    def _set(self) -> Accepts:
        negated = self._peek() == "^"
        self._at += negated
        singles, ranges, classes = set[str](), list[tuple[str, str]](), list[Accepts]()
        while self._peek() != "]":
            low = self._set_member()
            if callable(low):
                classes.append(low)
            elif self._peek() == "-" and self._source[self._at + 1 : self._at + 2] not in ("]", ""):
                self._at += 1
                high = self._set_member()
                if callable(high):
                    raise TemplateError(f"The pattern /{self._source}/ has a bad range.")
                ranges.append((low, high))
            else:
                singles.add(low)
            self._budget.spend()
        self._at += 1

        def accepts(char: str) -> bool:
            forms = {char, char.lower(), char.upper()} if self._fold else (char,)
            found = any(
                form in singles or any(a <= form <= b for a, b in ranges) or any(has(form) for has in classes)
                for form in forms
            )
            return found is not negated

        return accepts

    def _set_member(self) -> Accepts | str:
        char = self._peek()
        if not char:
            raise TemplateError(f"The pattern /{self._source}/ has an unclosed [.")
        self._at += 1
        return self._escape() if char == "\\" else char

    def _repeat(self, begin: int) -> None:
        bounds = self._bounds()
        if bounds is None:
            return
        low, high = bounds
        lazy = self._peek() == "?"
        self._at += lazy
        body = self._take_back(begin)
        for _ in range(low):
            self._emit(*body)
        unit = len(body) + 1
        if high is None:
            self._emit(_fork(1, unit + 1, lazy), *body, _Step("jump", ways=(-unit,)))
            return
        for left in range(high - low, 0, -1):
            self._emit(_fork(1, left * unit, lazy), *body)

    def _bounds(self) -> tuple[int, int | None] | None:
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if (char := self._peek()) and char in simple:
            self._at += 1
            return simple[char]
        close = self._source.find("}", self._at, self._at + 20)
        if char != "{" or close < 0:
            return None
        low, comma, high = self._source[self._at + 1 : close].partition(",")
        if not low.isdigit() or (high and not high.isdigit()):
            return None
        bounds = int(low), (int(high) if high else None) if comma else int(low)
        if max(bounds[0], bounds[1] or 0) > _MAX_REPEAT or (bounds[1] is not None and bounds[1] < bounds[0]):
            raise TemplateError(f"A pattern can repeat something at most {_MAX_REPEAT} times.")
        self._at = close + 1
        return bounds


class Pattern:
    """A compiled pattern; ``everywhere`` is the flag ``g``."""

    __slots__ = ("_groups", "_lines", "_program", "everywhere")

    def __init__(self, source: str, flags: str, budget: Budget) -> None:
        """Raises TemplateError for a pattern that is wrong or not supported."""
        if set(flags) - set("gimu"):
            raise TemplateError(f"The pattern has an unknown flag in {flags!r}.")
        compiler = _Compiler(source, "i" in flags, budget)
        compiler.compile()
        self._program = compiler.program
        self._groups = compiler.groups
        self._lines = "m" in flags
        self.everywhere = "g" in flags

    def search(self, text: str, start: int, budget: Budget) -> Match | None:
        """The leftmost match at or after ``start``."""
        threads: list[_Thread] = []
        best: tuple[int, ...] | None = None
        blank = (-1,) * (2 * self._groups)
        for at in range(start, len(text) + 1):
            added: set[int] = set()
            waiting: list[_Thread] = []
            if best is None:
                threads.append((0, (at, *blank[1:])))
            for thread in threads:
                waiting += self._follow(thread, text, at, added, budget)
            threads = []
            char = text[at : at + 1]
            for index, slots in waiting:
                step = self._program[index]
                if step.kind == "match":
                    best = (slots[0], at, *slots[2:])
                    break
                if char and step.accepts is not None and step.accepts(char):
                    threads.append((index + 1, slots))
            budget.spend(1 + len(waiting))
            if not threads and best is not None:
                break
        if best is None:
            return None
        pairs = [(best[2 * group], best[2 * group + 1]) for group in range(1, self._groups)]
        return Match(best[0], best[1], tuple(text[a:b] if a >= 0 and b >= 0 else None for a, b in pairs))

    def _follow(self, thread: _Thread, text: str, at: int, added: set[int], budget: Budget) -> list[_Thread]:
        """Where a thread comes to without consuming a character, the preferred way first."""
        waiting, stack = list[_Thread](), [thread]
        while stack:
            index, slots = stack.pop()
            if index in added:
                continue
            added.add(index)
            budget.spend()
            step = self._program[index]
            if step.kind in ("char", "match"):
                waiting.append((index, slots))
            elif step.kind == "save":
                stack.append((index + 1, (*slots[: step.slot], at, *slots[step.slot + 1 :])))
            elif step.kind in ("split", "jump"):
                stack.extend((index + way, slots) for way in reversed(step.ways))
            elif self._stands(step, text, at, budget):
                stack.append((index + 1, slots))
        return waiting

    def _stands(self, step: _Step, text: str, at: int, budget: Budget) -> bool:
        if not step.look:
            return self._holds(step.kind, text, at)
        ahead = "<" not in step.kind
        budget.enter()
        found = self._reaches(step.look, text, at, budget, ahead=ahead)
        budget.leave()
        return found is not step.kind.endswith("!")

    def _reaches(self, program: tuple[_Step, ...], text: str, at: int, budget: Budget, *, ahead: bool) -> bool:
        """Whether a look-around matches: from here on, or from anywhere before up to here."""
        states: set[int] = {0}
        for place in range(at, len(text) + 1) if ahead else range(at + 1):
            if not ahead:
                states.add(0)
            reached = self._closure(program, states, text, place, budget)
            if any(program[index].kind == "match" for index in reached) and (ahead or place == at):
                return True
            char = text[place : place + 1]
            states = {index + 1 for index in reached if char and (accepts := program[index].accepts) and accepts(char)}
            budget.spend(1 + len(reached))
            if ahead and not states:
                break
        return False

    def _closure(self, program: tuple[_Step, ...], states: set[int], text: str, at: int, budget: Budget) -> set[int]:
        reached, seen, stack = set[int](), set[int](), list(states)
        while stack:
            index = stack.pop()
            if index in seen:
                continue
            seen.add(index)
            budget.spend()
            step = program[index]
            if step.kind in ("char", "match"):
                reached.add(index)
            elif step.kind == "save":
                stack.append(index + 1)
            elif step.kind in ("split", "jump"):
                stack.extend(index + way for way in step.ways)
            elif self._stands(step, text, at, budget):
                stack.append(index + 1)
        return reached

    def _holds(self, kind: str, text: str, at: int) -> bool:
        before, after = text[at - 1 : at] if at else "", text[at : at + 1]
        if kind == "start":
            return at == 0 or (self._lines and before == "\n")
        if kind == "end":
            return at == len(text) or (self._lines and after == "\n")
        boundary = bool(before and _word(before)) is not bool(after and _word(after))
        return boundary is (kind == "boundary")

    def matches(self, text: str, budget: Budget, *, everywhere: bool | None = None) -> list[Match]:
        """All matches, or the first one only; by default the flag ``g`` decides."""
        every = self.everywhere if everywhere is None else everywhere
        found: list[Match] = []
        at = 0
        while at <= len(text) and (match := self.search(text, at, budget)) is not None:
            found.append(match)
            budget.items(len(found))
            if not every:
                break
            at = match.end + (match.end == match.start)
        return found

    def replace(self, text: str, replacement: str, budget: Budget) -> str:
        """Put ``replacement`` (with ``$1``, ``$&``, ``$$``) where the pattern matches."""
        parts, at, size = list[str](), 0, len(text)
        for match in self.matches(text, budget):
            filled = _fill(replacement, match, text, budget)
            size += len(filled)
            budget.text(size)
            parts += [text[at : match.start], filled]
            at = match.end
        return "".join([*parts, text[at:]])


def _fill(replacement: str, match: Match, text: str, budget: Budget) -> str:
    if "$" not in replacement:
        return replacement
    first, *pieces = replacement.split("$")
    parts, skip = [first], False
    for number, piece in enumerate(pieces):
        budget.spend()
        if skip:
            parts.append(piece)
            skip = False
        elif piece[:1] == "&":
            parts.append(text[match.start : match.end] + piece[1:])
        elif piece[:1].isdigit() and 0 < int(piece[0]) <= len(match.groups):
            parts.append((match.groups[int(piece[0]) - 1] or "") + piece[1:])
        else:
            parts.append("$" + piece)
            skip = piece == "" and number + 1 < len(pieces)
    filled = sum(map(len, parts))
    budget.text(filled)
    return "".join(parts)
