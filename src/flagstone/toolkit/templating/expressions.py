"""The parser of expressions: a Pratt parser with Nunjucks' precedences.

From loose to tight: inline if, or, and, not, in, is, comparison, ``~``, ``+``, ``-``, ``*``, ``/``, ``//``, ``%``,
``**``, sign, filter, call and member.
"""

from __future__ import annotations

from typing import NoReturn

from flagstone.toolkit.templating.faults import TemplateError
from flagstone.toolkit.templating.lexer import Token
from flagstone.toolkit.templating.limits import Budget
from flagstone.toolkit.templating.nodes import (
    Arguments,
    Binary,
    Call,
    Conditional,
    DictDisplay,
    Expression,
    Filter,
    ListDisplay,
    Literal,
    Member,
    Name,
    Slice,
    Test,
    Unary,
)
from flagstone.toolkit.templating.patterns import Pattern

_OR, _AND, _NOT, _IN, _IS, _COMPARE = 1, 2, 3, 4, 5, 6
_COMPARISONS = ("==", "===", "!=", "!==", "<", ">", "<=", ">=")
_BINDING = {
    "or": _OR,
    "and": _AND,
    **dict.fromkeys(_COMPARISONS, _COMPARE),
    # From left to right within a line: Nunjucks writes them into JavaScript without brackets.
    "~": 7,
    "+": 7,
    "-": 7,
    "*": 10,
    "/": 10,
    "%": 10,
    "//": 12,
    "**": 14,
}
_CONSTANTS = {"true": True, "false": False, "null": None, "none": None}
_RESERVED = frozenset({"and", "or", "not", "in", "is", "if", "else"})


class ExpressionParser:
    """Reads expressions from one list of tokens; ``end`` is the offset to report when they run out."""

    def __init__(self, tokens: tuple[Token, ...], end: int, budget: Budget) -> None:
        self._tokens = tokens
        self._end = end
        self._budget = budget
        self._at = 0

    @property
    def offset(self) -> int:
        """Where the next token is."""
        return self._tokens[self._at].offset if self._at < len(self._tokens) else self._end

    @property
    def done(self) -> bool:
        """Whether all tokens were read."""
        return self._at >= len(self._tokens)

    def finish(self) -> None:
        """Raise TemplateError when something is left over."""
        if not self.done:
            self.fail()

    def fail(self, wanted: str = "") -> NoReturn:
        """Raise TemplateError at the next token."""
        seen = f"{self._tokens[self._at].value!s:.40}" if not self.done else "end"
        raise TemplateError(f"Unexpected {seen}" + (f", expected {wanted}." if wanted else "."), self.offset)

    def peek(self, *words: str) -> str | None:
        """The next token's text when it is one of these operators or names."""
        if self.done:
            return None
        token = self._tokens[self._at]
        return str(token.value) if token.kind in ("name", "operator") and token.value in words else None

    def take(self, *words: str) -> str | None:
        """As :meth:`peek`, and step over it."""
        found = self.peek(*words)
        if found is not None:
            self._at += 1
        return found

    def expect(self, word: str) -> None:
        """Step over exactly this word, or fail."""
        if self.take(word) is None:
            self.fail(word)

    def name(self) -> str:
        """Step over an identifier."""
        if self.done or self._tokens[self._at].kind != "name":
            self.fail("a name")
        self._at += 1
        return str(self._tokens[self._at - 1].value)

    def expression(self) -> Expression:
        """A whole expression, inline if included."""
        self._budget.enter()
        offset, links = self.offset, 0
        value = self._operators(0)
        while self.take("if"):
            test = self._operators(0)
            otherwise = self._operators(0) if self.take("else") else None
            value = Conditional(offset, test, value, otherwise)
            links += 1
            self._budget.chain(links)
        self._budget.leave()
        return value

    def _operators(self, minimum: int) -> Expression:
        self._budget.enter()
        offset, links = self.offset, 0
        left: Expression
        if minimum <= _NOT and self.take("not"):
            left = Unary(offset, "not", self._operators(_NOT))
        else:
            left = self._unary(filters=True)
        while (found := self._infix(left, minimum)) is not None:
            left = found
            links += 1
            self._budget.chain(links)
        self._budget.leave()
        return left

    def _infix(self, left: Expression, minimum: int) -> Expression | None:
        offset, mark = self.offset, self._at
        if minimum <= _IN and (self.peek("in") or self.peek("not")):
            negated = bool(self.take("not"))
            if self.take("in"):
                inside = Binary(offset, "in", left, self._operators(_IN + 1))
                return Unary(offset, "not", inside) if negated else inside
            self._at = mark
            return None
        if minimum <= _IS and self.take("is"):
            negated = bool(self.take("not"))
            name = self.name()
            return Test(offset, left, name, self._test_arguments(), negated)
        operator = self.peek(*_BINDING)
        if operator is None or _BINDING[operator] < minimum:
            return None
        self._at += 1
        return Binary(offset, operator, left, self._operators(_BINDING[operator] + 1))

    def _test_arguments(self) -> Arguments:
        return self.arguments() if self.peek("(") else Arguments()

    def _unary(self, *, filters: bool) -> Expression:
        offset, links = self.offset, 0
        self._budget.enter()
        value: Expression
        sign = self.take("-", "+")
        value = Unary(offset, sign, self._unary(filters=False)) if sign else self._postfix(self._primary())
        self._budget.leave()
        while filters and self.take("|"):
            offset, name = self.offset, self.name()
            while self.take("."):
                name += "." + self.name()
            value = Filter(offset, value, name, self._test_arguments())
            links += 1
            self._budget.chain(links)
        return value

    def _primary(self) -> Expression:
        if self.done:
            self.fail("an expression")
        token = self._tokens[self._at]
        if token.kind == "name" and token.value in _RESERVED:
            self.fail("an expression")
        self._at += 1
        if token.kind in ("string", "number"):
            return Literal(token.offset, token.value)
        if token.kind == "regex":
            flags, _, source = str(token.value).partition("/")
            return Literal(token.offset, Pattern(source, flags, self._budget))
        if token.kind == "name":
            name = str(token.value)
            return Literal(token.offset, _CONSTANTS[name]) if name in _CONSTANTS else Name(token.offset, name)
        if token.value == "(":
            value = self.expression()
            while self.take(","):
                value = self.expression()
            self.expect(")")
            return value
        if token.value == "[":
            return ListDisplay(token.offset, self._items())
        if token.value != "{":
            self._at -= 1
            self.fail("an expression")
        return self._dict(token.offset)

    def _items(self) -> tuple[Expression, ...]:
        items = []
        while not self.take("]"):
            items.append(self.expression())
            if not self.peek("]"):
                self.expect(",")
        return tuple(items)

    def _dict(self, offset: int) -> Expression:
        pairs = []
        while not self.take("}"):
            key = self._primary()
            if isinstance(key, Name):
                key = Literal(key.offset, key.name)
            self.expect(":")
            pairs.append((key, self.expression()))
            if not self.peek("}"):
                self.expect(",")
        return DictDisplay(offset, tuple(pairs))

    def _postfix(self, value: Expression) -> Expression:
        links = 0
        while True:
            offset = self.offset
            self._budget.chain(links)
            links += 1
            if self.take("."):
                value = Member(offset, value, Literal(self.offset, self._member_name()))
            elif self.take("["):
                value = self._subscript(offset, value)
            elif self.peek("("):
                if not isinstance(value, Name | Member):
                    self.fail()
                value = Call(offset, value, self.arguments())
            else:
                return value

    def _member_name(self) -> str:
        if not self.done and isinstance(self._tokens[self._at].value, int):
            self._at += 1
            return str(self._tokens[self._at - 1].value)
        return self.name()

    def _subscript(self, offset: int, target: Expression) -> Expression:
        parts: list[Expression | None] = [None]
        while not self.take("]"):
            if self.take(":"):
                parts.append(None)
            elif parts[-1] is None and len(parts) <= 3:
                parts[-1] = self.expression()
            else:
                self.fail("]")
        if len(parts) == 1:
            if parts[0] is None:
                self._at -= 1
                self.fail("an expression")
            return Member(offset, target, parts[0])
        if len(parts) > 3:
            raise TemplateError("A slice has at most three parts.", offset)
        start, stop, step = [*parts, None][:3]
        return Slice(offset, target, start, stop, step)

    def arguments(self) -> Arguments:
        """``(a, b, name=value)``."""
        self.expect("(")
        positional: list[Expression] = []
        named: list[tuple[str, Expression]] = []
        while not self.take(")"):
            value = self.expression()
            if isinstance(value, Name) and self.take("="):
                named.append((value.name, self.expression()))
            else:
                positional.append(value)
            if not self.peek(")"):
                self.expect(",")
        return Arguments(tuple(positional), tuple(named))
