"""The parser of statements: from segments to the tree of a whole template."""

from __future__ import annotations

from collections.abc import Callable

from flagstone.toolkit.templating.expressions import ExpressionParser
from flagstone.toolkit.templating.faults import TemplateError
from flagstone.toolkit.templating.lexer import Segment, Syntax, segments
from flagstone.toolkit.templating.limits import Budget
from flagstone.toolkit.templating.nodes import (
    Arguments,
    Block,
    Body,
    Call,
    CallBlock,
    Expression,
    FilterBlock,
    For,
    If,
    Macro,
    Name,
    Output,
    Set,
    Statement,
    Switch,
    Text,
)

_LOADING = frozenset({"include", "import", "from", "extends"})


def parse(source: str, syntax: Syntax, budget: Budget) -> Body:
    """The tree of a template. Raises TemplateError with the offset of what is wrong."""
    return _Parser(segments(source, syntax, budget), len(source), budget).template()


class _Parser:
    def __init__(self, pieces: list[Segment], length: int, budget: Budget) -> None:
        self._pieces = pieces
        self._length = length
        self._budget = budget
        self._at = 0
        self._tags: dict[str, Callable[[int, ExpressionParser], Statement]] = {
            "if": self._if,
            "for": self._for,
            "set": self._set,
            "macro": self._macro,
            "filter": self._filter,
            "switch": self._switch,
            "block": self._block,
            "call": self._call,
        }

    def template(self) -> Body:
        body, tag, _ = self._body("", 0)
        if tag:
            raise TemplateError(
                f"Nothing was opened that {{% {tag} %}} could close.", self._pieces[self._at - 1].offset
            )
        return body

    def _body(self, opener: str, opened_at: int, *ends: str) -> tuple[Body, str, ExpressionParser | None]:
        """Statements up to one of the tags in ``ends``; with the tag and the rest of its tokens."""
        statements: list[Statement] = []
        self._budget.enter()
        while self._at < len(self._pieces):
            piece = self._pieces[self._at]
            self._at += 1
            self._budget.spend()
            if piece.kind == "text":
                statements.append(Text(piece.offset, piece.text))
                continue
            reader = ExpressionParser(piece.tokens, piece.offset, self._budget)
            if piece.kind == "output":
                statements.append(Output(piece.offset, reader.expression()))
                reader.finish()
                continue
            tag = reader.name()
            if tag in ends or tag not in self._tags:
                self._check_tag(tag, ends, piece.offset)
                self._budget.leave()
                return tuple(statements), tag, reader
            statements.append(self._tags[tag](piece.offset, reader))
        self._budget.leave()
        if ends:
            raise TemplateError(f"The block {{% {opener} %}} is never closed with {{% {ends[0]} %}}.", opened_at)
        return tuple(statements), "", None

    @staticmethod
    def _check_tag(tag: str, ends: tuple[str, ...], offset: int) -> None:
        if tag in ends:
            return
        if tag in _LOADING:
            raise TemplateError(f"{{% {tag} %}} is not available: a template can not load another one.", offset)
        wanted = f"; expected {' or '.join(ends)}" if ends else ""
        raise TemplateError(f"Unknown or misplaced tag {{% {tag} %}}{wanted}.", offset)

    def _if(self, offset: int, reader: ExpressionParser) -> Statement:
        branches: list[tuple[Expression, Body]] = []
        otherwise: Body = ()
        while True:
            test = reader.expression()
            reader.finish()
            body, tag, after = self._body("if", offset, "endif", "elif", "elseif", "else")
            branches.append((test, body))
            if tag in ("elif", "elseif") and after is not None:
                reader = after
                continue
            if tag == "else":
                otherwise, _, after = self._body("if", offset, "endif")
            self._close(after)
            return If(offset, tuple(branches), otherwise)

    @staticmethod
    def _close(reader: ExpressionParser | None) -> None:
        if reader is not None:
            reader.finish()

    def _for(self, offset: int, reader: ExpressionParser) -> Statement:
        bracket = reader.take("[", "(")
        names = [reader.name()]
        while reader.take(","):
            names.append(reader.name())
        if bracket:
            reader.expect("]" if bracket == "[" else ")")
        reader.expect("in")
        items = reader.expression()
        reader.finish()
        otherwise: Body = ()
        body, tag, after = self._body("for", offset, "endfor", "else")
        if tag == "else":
            otherwise, _, after = self._body("for", offset, "endfor")
        self._close(after)
        return For(offset, tuple(names), items, body, otherwise)

    def _set(self, offset: int, reader: ExpressionParser) -> Statement:
        names = [reader.name()]
        while reader.take(","):
            names.append(reader.name())
        if reader.take("="):
            value = reader.expression()
            reader.finish()
            return Set(offset, tuple(names), value, ())
        reader.finish()
        body, _, after = self._body("set", offset, "endset")
        self._close(after)
        return Set(offset, tuple(names), None, body)

    def _block(self, offset: int, reader: ExpressionParser) -> Statement:
        reader.name()
        reader.finish()
        body, _, after = self._body("block", offset, "endblock")
        if after is not None and not after.done:
            after.name()
        self._close(after)
        return Block(offset, body)

    def _call(self, offset: int, reader: ExpressionParser) -> Statement:
        parameters = self._parameters(reader.arguments()) if reader.peek("(") else ()
        call = reader.expression()
        reader.finish()
        if not isinstance(call, Call):
            raise TemplateError("{% call %} needs a call of a macro.", offset)
        body, _, after = self._body("call", offset, "endcall")
        self._close(after)
        return CallBlock(offset, call, parameters, body)

    @staticmethod
    def _parameters(arguments: Arguments) -> tuple[tuple[str, Expression | None], ...]:
        parameters: list[tuple[str, Expression | None]] = []
        for parameter in arguments.positional:
            if not isinstance(parameter, Name):
                raise TemplateError("The parameters of a macro must be names.", parameter.offset)
            parameters.append((parameter.name, None))
        return (*parameters, *arguments.named)

    def _macro(self, offset: int, reader: ExpressionParser) -> Statement:
        name = reader.name()
        parameters = self._parameters(reader.arguments())
        reader.finish()
        body, _, after = self._body("macro", offset, "endmacro")
        if after is not None and not after.done:
            after.name()
        return Macro(offset, name, parameters, body)

    def _filter(self, offset: int, reader: ExpressionParser) -> Statement:
        name = reader.name()
        arguments = reader.arguments() if reader.peek("(") else Arguments()
        reader.finish()
        body, _, after = self._body("filter", offset, "endfilter")
        self._close(after)
        return FilterBlock(offset, name, arguments, body)

    def _switch(self, offset: int, reader: ExpressionParser) -> Statement:
        subject = reader.expression()
        reader.finish()
        _, tag, after = self._body("switch", offset, "endswitch", "case", "default")
        cases: list[tuple[Expression, Body]] = []
        otherwise: Body = ()
        while tag != "endswitch" and after is not None:
            test = after.expression() if tag == "case" else None
            after.finish()
            body, tag, after = self._body("switch", offset, "endswitch", "case", "default")
            if test is None:
                otherwise = body
            else:
                cases.append((test, body))
        # As in JavaScript, a case without a body goes on with the next one.
        following = otherwise
        for place in range(len(cases) - 1, -1, -1):
            test, body = cases[place]
            following = body or following
            cases[place] = (test, following)
        return Switch(offset, subject, tuple(cases), otherwise)
