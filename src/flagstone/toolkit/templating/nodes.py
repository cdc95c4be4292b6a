"""The syntax tree of templates. Pure data: the parser makes it, the interpreter walks it.

Every node knows its ``offset`` in the source, for messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from flagstone.toolkit.templating.values import Value


@dataclass(frozen=True, slots=True)
class Node:
    """Base of all nodes."""

    offset: int


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A text, number, true, false or null."""

    value: Value


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Member(Node):
    """``target.key`` or ``target[key]``."""

    target: Expression
    key: Expression


@dataclass(frozen=True, slots=True)
class Slice(Node):
    """``target[start:stop:step]``."""

    target: Expression
    start: Expression | None
    stop: Expression | None
    step: Expression | None


@dataclass(frozen=True, slots=True)
class ListDisplay(Node):
    """``[a, b]``."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class DictDisplay(Node):
    """``{a: 1}``."""

    pairs: tuple[tuple[Expression, Expression], ...]


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """``not x``, ``-x``, ``+x``."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """Two operands and an operator, ``and`` and ``or`` included."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    """``then if test else otherwise``."""

    test: Expression
    then: Expression
    otherwise: Expression | None


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a call is given."""

    positional: tuple[Expression, ...] = ()
    named: tuple[tuple[str, Expression], ...] = ()


@dataclass(frozen=True, slots=True)
class Test(Node):
    """``operand is name(arguments)``."""

    operand: Expression
    name: str
    arguments: Arguments
    negated: bool


@dataclass(frozen=True, slots=True)
class Filter(Node):
    """``operand | name(arguments)``."""

    operand: Expression
    name: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Call(Node):
    """``name(arguments)`` or ``target.method(arguments)``."""

    target: Name | Member
    arguments: Arguments


Expression: TypeAlias = (
    Literal | Name | Member | Slice | ListDisplay | DictDisplay | Unary | Binary | Conditional | Test | Filter | Call
)


@dataclass(frozen=True, slots=True)
class Text(Node):
    """Text that stands for itself."""

    text: str


@dataclass(frozen=True, slots=True)
class Output(Node):
    """``${{ expression }}``."""

    expression: Expression


@dataclass(frozen=True, slots=True)
class If(Node):
    """``{% if %}…{% elif %}…{% else %}…{% endif %}``."""

    branches: tuple[tuple[Expression, Body], ...]
    otherwise: Body


@dataclass(frozen=True, slots=True)
class Switch(Node):
    """``{% switch %}{% case %}…{% default %}…{% endswitch %}``."""

    subject: Expression
    cases: tuple[tuple[Expression, Body], ...]
    otherwise: Body


@dataclass(frozen=True, slots=True)
class For(Node):
    """``{% for a, b in items %}…{% else %}…{% endfor %}``."""

    names: tuple[str, ...]
    items: Expression
    body: Body
    otherwise: Body


@dataclass(frozen=True, slots=True)
class Set(Node):
    """``{% set a = value %}``, or ``{% set a %}…{% endset %}`` when there is no value."""

    names: tuple[str, ...]
    value: Expression | None
    body: Body


@dataclass(frozen=True, slots=True)
class Block(Node):
    """``{% block name %}…{% endblock %}``: its body, as no template can extend another one here."""

    body: Body


@dataclass(frozen=True, slots=True)
class CallBlock(Node):
    """``{% call(a) macro() %}…{% endcall %}``: a macro that may ask for the body with ``caller()``."""

    call: Call
    parameters: tuple[tuple[str, Expression | None], ...]
    body: Body


@dataclass(frozen=True, slots=True)
class Macro(Node):
    """``{% macro name(a, b=1) %}…{% endmacro %}``."""

    name: str
    parameters: tuple[tuple[str, Expression | None], ...]
    body: Body


@dataclass(frozen=True, slots=True)
class FilterBlock(Node):
    """``{% filter upper %}…{% endfilter %}``."""

    name: str
    arguments: Arguments
    body: Body


Statement: TypeAlias = Text | Output | If | Switch | For | Set | Macro | Block | CallBlock | FilterBlock
Body: TypeAlias = tuple[Statement, ...]
