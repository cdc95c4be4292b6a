"""Walks the tree of a template: evaluates expressions and writes the text.

Sandboxed by construction: names resolve to the scope, the context (plain data) and a table of functions; members only
to own members of plain data; calls only to that table, to macros, and to the fixed methods of texts, lists and numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flagstone.toolkit.templating import nodes
from flagstone.toolkit.templating.checks import check
from flagstone.toolkit.templating.counters import Cycler, Joiner
from flagstone.toolkit.templating.faults import LimitError, TemplateError
from flagstone.toolkit.templating.limits import Budget
from flagstone.toolkit.templating.methods import find_method
from flagstone.toolkit.templating.operators import BINARY, slice_items
from flagstone.toolkit.templating.values import UNDEFINED, Value, member, number, to_number, to_text, truthy


@dataclass(slots=True)
class _Scope:
    """Variables of a loop or macro, over those around it."""

    names: dict[str, Value] = field(default_factory=dict)
    parent: _Scope | None = None

    def find(self, name: str) -> _Scope | None:
        scope: _Scope | None = self
        while scope is not None and name not in scope.names:
            scope = scope.parent
        return scope


@dataclass(frozen=True, slots=True)
class _Macro:
    """A macro with the scope it was defined in; not a value that can leave a template."""

    node: nodes.Macro
    scope: _Scope


class Interpreter:
    """Runs one template over one context. Raises TemplateError; every step is charged to the budget."""

    def __init__(
        self,
        context: Mapping[str, Value],
        budget: Budget,
        filters: Mapping[str, Callable[..., Value]],
        functions: Mapping[str, Callable[..., Value]],
    ) -> None:
        self._context = context
        self._budget = budget
        self._filters = filters
        self._functions = functions
        self._scope = _Scope()
        self._parts: list[str] = []
        self._run: dict[type, Callable[[Any], None]] = {
            nodes.Text: self._text,
            nodes.Output: self._output,
            nodes.If: self._if,
            nodes.Switch: self._switch,
            nodes.For: self._for,
            nodes.Set: self._set,
            nodes.Macro: self._define,
            nodes.FilterBlock: self._filter_block,
            nodes.Block: self._block,
            nodes.CallBlock: self._call_block,
        }
        self._evaluate: dict[type, Callable[[Any], Value]] = {
            nodes.Literal: lambda node: node.value,
            nodes.Name: self._name,
            nodes.Member: self._member,
            nodes.Slice: self._slice,
            nodes.ListDisplay: self._list,
            nodes.DictDisplay: self._dict,
            nodes.Unary: self._unary,
            nodes.Binary: self._binary,
            nodes.Conditional: self._conditional,
            nodes.Test: self._test,
            nodes.Filter: self._filter,
            nodes.Call: self._call,
        }

    def text(self, body: nodes.Body) -> str:
        """The text of a whole template."""
        self._body(body)
        return "".join(self._parts)

    def value(self, node: nodes.Expression) -> Value:
        """The value of an expression."""
        self._budget.enter()
        try:
            value = self._evaluate[type(node)](node)
        except TemplateError as fault:
            if fault.offset is None:
                fault.offset = node.offset
            raise
        self._budget.leave()
        return value

    def _body(self, body: nodes.Body) -> None:
        self._budget.enter()
        for statement in body:
            self._run[type(statement)](statement)
        self._budget.leave()

    def _captured(self, body: nodes.Body) -> str:
        outside, self._parts = self._parts, []
        self._body(body)
        text = "".join(self._parts)
        self._parts = outside
        self._budget.text(len(text))
        return text

    def _write(self, text: str) -> None:
        self._budget.output(len(text))
        self._parts.append(text)

    def _text(self, node: nodes.Text) -> None:
        self._write(node.text)

    def _output(self, node: nodes.Output) -> None:
        value = self.value(node.expression)
        try:
            self._write(to_text(value, self._budget))
        except TemplateError as fault:
            fault.offset = node.offset if fault.offset is None else fault.offset
            raise

    def _if(self, node: nodes.If) -> None:
        for test, body in node.branches:
            if truthy(self.value(test)):
                self._body(body)
                return
        self._body(node.otherwise)

    def _switch(self, node: nodes.Switch) -> None:
        subject = self.value(node.subject)
        for test, body in node.cases:
            if BINARY["==="](subject, self.value(test), self._budget):
                self._body(body)
                return
        self._body(node.otherwise)

    def _for(self, node: nodes.For) -> None:
        rows = self._rows(self.value(node.items), len(node.names))
        if not rows:
            self._body(node.otherwise)
            return
        outer = self._scope
        for index, row in enumerate(rows):
            loop = {
                "index": index + 1,
                "index0": index,
                "revindex": len(rows) - index,
                "revindex0": len(rows) - index - 1,
                "first": index == 0,
                "last": index == len(rows) - 1,
                "length": len(rows),
            }
            self._scope = _Scope({**dict(zip(node.names, row, strict=True)), "loop": loop}, outer)
            self._body(node.body)
        self._scope = outer

    def _rows(self, items: Value, width: int) -> list[Sequence[Value]]:
        """For each turn of a loop the values of its variables."""
        if isinstance(items, Mapping) and width == 2:
            self._budget.items(len(items))
            return [list(pair) for pair in items.items()]
        if isinstance(items, str) and width == 2:
            self._budget.items(len(items))
            return [[str(place), character] for place, character in enumerate(items)]
        if not isinstance(items, list | tuple | str):
            return []
        self._budget.items(len(items))
        if width == 1:
            return [[item] for item in items]
        return [
            [
                item[place] if isinstance(item, list | tuple | str) and place < len(item) else UNDEFINED
                for place in range(width)
            ]
            for item in items
        ]

    def _set(self, node: nodes.Set) -> None:
        value = self._captured(node.body) if node.value is None else self.value(node.value)
        for name in node.names:
            scope = self._scope.find(name) or self._scope
            scope.names[name] = value

    def _define(self, node: nodes.Macro) -> None:
        self._scope.names[node.name] = _Macro(node, self._scope)

    def _filter_block(self, node: nodes.FilterBlock) -> None:
        value = self._apply(node.name, self._captured(node.body), node.arguments, node.offset)
        self._write(to_text(value, self._budget))

    def _name(self, node: nodes.Name) -> Value:
        scope = self._scope.find(node.name)
        if scope is not None:
            return scope.names[node.name]
        if node.name in self._context:
            return self._context[node.name]
        if node.name in self._functions:
            return self._functions[node.name]
        return UNDEFINED

    def _member(self, node: nodes.Member) -> Value:
        target, key = self.value(node.target), self.value(node.key)
        if isinstance(target, Cycler):
            return target.current if key == "current" else UNDEFINED
        return member(target, key, self._budget)

    def _block(self, node: nodes.Block) -> None:
        self._scope = _Scope(parent=self._scope)
        self._body(node.body)
        self._scope = self._scope.parent or self._scope

    def _call_block(self, node: nodes.CallBlock) -> None:
        name = node.call.target.name if isinstance(node.call.target, nodes.Name) else ""
        scope = self._scope.find(name)
        macro = scope.names[name] if scope is not None else None
        if not isinstance(macro, _Macro):
            raise TemplateError(f"There is no macro {name!r:.60} to call.", node.offset)
        caller = _Macro(nodes.Macro(node.offset, "caller", node.parameters, node.body), self._scope)
        positional, named = self._arguments(node.call.arguments)
        self._write(self._expand(macro, positional, {**named, "caller": caller}))

    def _slice(self, node: nodes.Slice) -> Value:
        start, stop, step = (None if part is None else self.value(part) for part in (node.start, node.stop, node.step))
        return slice_items(self.value(node.target), start, stop, step, self._budget)

    def _list(self, node: nodes.ListDisplay) -> Value:
        return [self.value(item) for item in node.items]

    def _dict(self, node: nodes.DictDisplay) -> Value:
        return {to_text(self.value(key), self._budget): self.value(item) for key, item in node.pairs}

    def _unary(self, node: nodes.Unary) -> Value:
        value = self.value(node.operand)
        if node.operator == "not":
            return not truthy(value)
        return number(-to_number(value) if node.operator == "-" else to_number(value))

    def _binary(self, node: nodes.Binary) -> Value:
        left = self.value(node.left)
        if node.operator in ("and", "or"):
            return left if truthy(left) is (node.operator == "or") else self.value(node.right)
        return BINARY[node.operator](left, self.value(node.right), self._budget)

    def _conditional(self, node: nodes.Conditional) -> Value:
        if truthy(self.value(node.test)):
            return self.value(node.then)
        return "" if node.otherwise is None else self.value(node.otherwise)

    def _test(self, node: nodes.Test) -> Value:
        positional, _ = self._arguments(node.arguments)
        return check(node.name, self.value(node.operand), positional, self._budget) is not node.negated

    def _arguments(self, arguments: nodes.Arguments) -> tuple[list[Value], dict[str, Value]]:
        return [self.value(item) for item in arguments.positional], {
            name: self.value(item) for name, item in arguments.named
        }

    def _filter(self, node: nodes.Filter) -> Value:
        return self._apply(node.name, self.value(node.operand), node.arguments, node.offset)

    def _apply(self, name: str, value: Value, arguments: nodes.Arguments, offset: int) -> Value:
        found = self._filters.get(name)
        if found is None:
            raise TemplateError(f"There is no filter {name!r:.60}.", offset)
        positional, named = self._arguments(arguments)
        return self._guarded(f"The filter {name!r}", lambda: found(self._budget, value, *positional, **named), offset)

    @staticmethod
    def _guarded(what: str, call: Callable[[], Value], offset: int) -> Value:
        """Run a function that a plugin may have written; whatever it raises is the template's fault here."""
        try:
            return call()
        except TemplateError as fault:
            fault.offset = offset if fault.offset is None else fault.offset
            raise
        except RecursionError:
            raise
        except TypeError as error:
            raise TemplateError(f"{what} was given arguments that it does not take.", offset) from error
        except Exception as error:
            raise TemplateError(f"{what} failed: {error!s:.200}", offset) from error

    def _call(self, node: nodes.Call) -> Value:
        target, offset = node.target, node.offset
        if isinstance(target, nodes.Member):
            receiver = self.value(target.target)
            name = to_text(self.value(target.key), self._budget)
            positional, named = self._arguments(node.arguments)
            if isinstance(receiver, Cycler):
                return receiver.call(name)
            method = find_method(receiver, name)
            return self._guarded(
                f"The method {name!r}", lambda: method(self._budget, receiver, *positional, **named), offset
            )
        scope = self._scope.find(target.name)
        positional, named = self._arguments(node.arguments)
        if scope is not None and isinstance(macro := scope.names[target.name], _Macro):
            return self._expand(macro, positional, named)
        if scope is not None and isinstance(joiner := scope.names[target.name], Joiner):
            return joiner.call()
        function = self._functions.get(target.name) if scope is None and target.name not in self._context else None
        if function is None:
            raise TemplateError(f"There is no function {target.name!r:.60}.", offset)
        return self._guarded(
            f"The function {target.name!r}", lambda: function(self._budget, *positional, **named), offset
        )

    def _expand(self, macro: _Macro, positional: list[Value], named: dict[str, Value]) -> str:
        names: dict[str, Value] = {}
        for place, (name, default) in enumerate(macro.node.parameters):
            if place < len(positional):
                names[name] = positional[place]
            elif name in named or default is None:
                names[name] = named.get(name, UNDEFINED)
            else:
                names[name] = self.value(default)
        if isinstance(caller := named.get("caller"), _Macro):
            names["caller"] = caller
        outer, self._scope = self._scope, _Scope(names, macro.scope)
        text = self._captured(macro.node.body)
        self._scope = outer
        return text


def guarded(call: Callable[[], Value]) -> Value:
    """Run a rendering so that nothing but TemplateError comes out of it.

    A stack that is already nearly full becomes a limit; a number or value that Python can not work with, and that the
    operators did not foresee, becomes the template's fault and not a crash of whoever renders it.
    """
    try:
        return call()
    except RecursionError as error:
        raise LimitError("The template nests too deeply.", "depth") from error
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise TemplateError(f"This can not be evaluated: {error!s:.200}") from error
