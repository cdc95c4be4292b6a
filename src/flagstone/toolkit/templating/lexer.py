"""Cuts a template into text, outputs, blocks and comments, and the inside of those into tokens.

Whitespace control (``{%-``, ``-%}``, trim_blocks, lstrip_blocks) and ``{% raw %}`` are settled here, so that the
parser sees only what counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from flagstone.toolkit.templating.faults import TemplateError
from flagstone.toolkit.templating.limits import Budget

TokenKind = Literal["name", "string", "number", "operator", "regex"]


@dataclass(frozen=True, slots=True)
class Syntax:
    """Delimiters of outputs and how blocks treat the whitespace around them."""

    output_start: str = "${{"
    output_end: str = "}}"
    trim_blocks: bool = False
    lstrip_blocks: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """A word of an expression. ``value`` is the text of a name or operator, or the value of a literal."""

    kind: TokenKind
    value: str | int | float
    offset: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the template."""

    kind: Literal["text", "output", "block"]
    offset: int
    text: str = ""
    tokens: tuple[Token, ...] = ()


_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<regex>r/(?=[^/\s]))
      | (?P<name>[A-Za-z_$][A-Za-z0-9_$]*)
      | (?P<string>["'])
      | (?P<operator>===|!==|==|!=|<=|>=|\*\*|//|[-+*/%~<>=|.,:()\[\]{}])
    """,
    re.VERBOSE,
)
_STRING_PART = {quote: re.compile(rf"[^{quote}\\]+|\\.", re.DOTALL) for quote in "\"'"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_FOREIGN = {"&&": "and", "||": "or"}
_RAW_WORDS = ("raw", "verbatim")
_TRAILING_SPACE = " \t\r\n\f\v"


def segments(source: str, syntax: Syntax, budget: Budget) -> list[Segment]:
    """Cut a whole template. Raises TemplateError where a delimiter is never closed or a character means nothing."""
    budget.source(len(source))
    return list(_Scanner(source, syntax, budget).scan())


class _Scanner:
    def __init__(self, source: str, syntax: Syntax, budget: Budget) -> None:
        self._source = source
        self._syntax = syntax
        self._budget = budget
        starts = sorted([syntax.output_start, "{%", "{#"], key=len, reverse=True)
        self._start = re.compile("|".join(map(re.escape, starts)))
        self._at = 0
        self._strip_next = False

    def scan(self) -> Iterator[Segment]:
        source = self._source
        while self._at < len(source):
            found = self._start.search(source, self._at)
            end = found.start() if found else len(source)
            if end > self._at:
                yield from self._text(self._at, end, found.group() if found else "")
            if not found:
                return
            self._at = found.end()
            self._budget.spend()
            if found.group() == "{#":
                yield self._comment(found.start())
            elif found.group() == "{%":
                yield from self._block(found.start())
            else:
                yield Segment("output", found.start(), tokens=self._code(found.start(), self._syntax.output_end))

    def _text(self, start: int, end: int, opener: str) -> Iterator[Segment]:
        text = self._source[start:end]
        offset = start
        if self._strip_next:
            stripped = text.lstrip(_TRAILING_SPACE)
            offset += len(text) - len(stripped)
            text = stripped
        self._strip_next = False
        if opener and self._source.startswith("-", end + len(opener)):
            text = text.rstrip(_TRAILING_SPACE)
        elif opener in ("{%", "{#") and self._syntax.lstrip_blocks:
            line = text.rfind("\n") + 1
            at_line_start = line > 0 or start == 0 or self._source[start - 1] == "\n"
            if at_line_start and not text[line:].strip(" \t"):
                text = text[:line]
        if text:
            yield Segment("text", offset, text)

    def _comment(self, start: int) -> Segment:
        end = self._source.find("#}", self._at)
        if end < 0:
            raise TemplateError("The comment {# is never closed with #}.", start)
        self._strip_next = end > self._at and self._source[end - 1] == "-"
        self._at = end + 2
        return Segment("text", start, "")

    def _block(self, start: int) -> Iterator[Segment]:
        tokens = self._code(start, "%}")
        if len(tokens) == 1 and tokens[0].value in _RAW_WORDS:
            yield self._raw(start, str(tokens[0].value))
        else:
            yield Segment("block", start, tokens=tokens)

    def _raw(self, start: int, word: str) -> Segment:
        marker = re.compile(rf"\{{%(-?)\s*(end)?{word}\s*(-?)%\}}")
        begin = end = self._at
        depth, left, right = 1, "", ""
        while depth:
            found = marker.search(self._source, self._at)
            if not found:
                raise TemplateError(f"The block {{% {word} %}} is never closed with {{% end{word} %}}.", start)
            self._at, end = found.end(), found.start()
            left, right = found.group(1), found.group(3)
            depth += -1 if found.group(2) else 1
            self._budget.spend()
        text = self._source[begin:end]
        text = text.lstrip(_TRAILING_SPACE) if self._strip_next else text
        text = text.rstrip(_TRAILING_SPACE) if left else text
        self._strip_next = bool(right)
        self._trim_newline()
        return Segment("text", begin, text)

    def _trim_newline(self) -> None:
        if self._syntax.trim_blocks:
            for newline in ("\r\n", "\n"):
                if self._source.startswith(newline, self._at):
                    self._at += len(newline)
                    return

    def _code(self, start: int, end: str) -> tuple[Token, ...]:
        source, tokens, braces = self._source, list[Token](), 0
        if source.startswith("-", self._at):
            self._at += 1
        while True:
            if self._at >= len(source):
                raise TemplateError(f"{source[start : start + 3].rstrip()} is never closed with {end}.", start)
            if braces == 0 and self._closes(end):
                return tuple(tokens)
            token = self._token()
            if token is None:
                continue
            self._budget.spend()
            if token.value == "{" and token.kind == "operator":
                braces += 1
            elif token.value == "}" and token.kind == "operator":
                braces -= 1
            tokens.append(token)

    def _closes(self, end: str) -> bool:
        dash = self._source.startswith("-" + end, self._at)
        if not dash and not self._source.startswith(end, self._at):
            return False
        self._strip_next = dash
        self._at += len(end) + dash
        if end == "%}":
            self._trim_newline()
        return True

    def _token(self) -> Token | None:
        start = self._at
        found = _TOKEN.match(self._source, start)
        for foreign, ours in _FOREIGN.items():
            if self._source.startswith(foreign, start):
                raise TemplateError(f"Write {ours!r} instead of {foreign}.", start)
        if not found:
            raise TemplateError(f"The character {self._source[start]!r} has no meaning in an expression.", start)
        self._at = found.end()
        kind, text = found.lastgroup, found.group()
        if kind == "space":
            return None
        if kind == "string":
            return Token("string", self._string(start, text), start)
        if kind == "regex":
            return Token("regex", self._regex(start), start)
        if kind == "number":
            whole = text.isdigit() and len(text) <= 15
            return Token("number", int(text) if whole else float(text[:400]), start)
        return Token("name" if kind == "name" else "operator", text, start)

    def _string(self, start: int, quote: str) -> str:
        parts = []
        while found := _STRING_PART[quote].match(self._source, self._at):
            self._at = found.end()
            part = found.group()
            parts.append(_ESCAPES.get(part[1], part[1]) if part[0] == "\\" else part)
            self._budget.spend()
        if not self._source.startswith(quote, self._at):
            raise TemplateError(f"The text that starts with {quote} is never closed.", start)
        self._at += 1
        return "".join(parts)

    def _regex(self, start: int) -> str:
        """``flags/pattern``: flags have no slash, so one text carries both."""
        found = re.compile(r"((?:[^/\\\n]|\\.)*)/([a-z]*)").match(self._source, self._at)
        if not found:
            raise TemplateError("The pattern r/ is never closed with /.", start)
        self._at = found.end()
        return f"{found.group(2)}/{found.group(1)}"
