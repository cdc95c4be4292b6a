"""The rendering of values, conditions, loops, files and paths: what the rest of Flagstone calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from flagstone.kernel.errors import Invalid
from flagstone.toolkit.templating import nodes
from flagstone.toolkit.templating.faults import LimitError, TemplateError, to_error
from flagstone.toolkit.templating.filters import COOKIECUTTER_FILTERS, FILTERS
from flagstone.toolkit.templating.functions import FUNCTIONS
from flagstone.toolkit.templating.interpreter import Interpreter, guarded
from flagstone.toolkit.templating.lexer import Syntax
from flagstone.toolkit.templating.limits import EXPRESSION_LIMITS, FILE_LIMITS, Budget, Limits
from flagstone.toolkit.templating.parser import parse
from flagstone.toolkit.templating.values import JSON, UNDEFINED, Undefined, Value, is_list, to_json, truthy

_VALUE_SYNTAX = Syntax()
_MARKS = ("${{", "{%", "{#")


@dataclass(frozen=True, slots=True)
class Extensions:
    """Filters and functions that plugins add: plain functions of plain data, ``filter(value, *arguments)``."""

    filters: Mapping[str, Callable[..., JSON]] = field(default_factory=dict)
    functions: Mapping[str, Callable[..., JSON]] = field(default_factory=dict)


NO_EXTENSIONS = Extensions()


def names() -> tuple[dict[str, str], dict[str, str]]:
    """The filters and the functions that every template may use, each with what is known of it in words."""
    return (
        {name: _first_line(call) for name, call in sorted(FILTERS.items())},
        {name: _first_line(call) for name, call in sorted(FUNCTIONS.items())},
    )


def _first_line(call: Callable[..., Value]) -> str:
    return (call.__doc__ or "").strip().partition("\n")[0]


def status_functions(*, failed: bool) -> Extensions:
    """``always()`` and ``failure()`` for a run in which an earlier step did, or did not, fail."""
    return Extensions(functions={"always": lambda: True, "failure": lambda: failed})


def _without_budget(function: Callable[..., JSON]) -> Callable[..., Value]:
    return lambda _budget, *arguments, **named: function(*arguments, **named)


def _interpreter(
    context: Mapping[str, JSON], budget: Budget, extensions: Extensions, more: Mapping[str, Callable[..., Value]] = {}
) -> Interpreter:
    filters = {**FILTERS, **more, **{name: _without_budget(call) for name, call in extensions.filters.items()}}
    functions = {**FUNCTIONS, **{name: _without_budget(call) for name, call in extensions.functions.items()}}
    return Interpreter(context, budget, filters, functions)


def _evaluate(source: str, context: Mapping[str, JSON], budget: Budget, extensions: Extensions) -> Value:
    """The native value of a lone expression, otherwise the text."""

    def run() -> Value:
        body = parse(source, _VALUE_SYNTAX, budget)
        interpreter = _interpreter(context, budget, extensions)
        if len(body) != 1 or not isinstance(body[0], nodes.Output):
            return interpreter.text(body)
        try:
            return to_json(interpreter.value(body[0].expression), budget)
        except TemplateError as fault:
            fault.offset = body[0].offset if fault.offset is None else fault.offset
            raise

    return guarded(run)


def is_template(text: str) -> bool:
    """Whether a text holds anything to render."""
    return any(mark in text for mark in _MARKS)


def render_value(
    value: JSON,
    context: Mapping[str, JSON],
    *,
    lenient: bool = True,
    extensions: Extensions = NO_EXTENSIONS,
    limits: Limits = EXPRESSION_LIMITS,
    field: str = "",
) -> JSON | Undefined:
    """Render every text in a value, at any depth; keys of objects stay as they are.

    A text that is one lone expression becomes the expression's own value; where that is undefined the key is left out
    (null in a list), and UNDEFINED is returned for the value itself. Lenient, as Backstage does, keeps the raw text
    where an expression is wrong; strict raises Invalid (``templating.expression``). A limit that is passed is always
    Invalid (``templating.limit``). ``field`` is the name to give to the value in messages.
    """
    budget = Budget(limits)
    return _Renderer(context, budget, extensions, lenient).render(value, field)


@dataclass(frozen=True, slots=True)
class _Renderer:
    context: Mapping[str, JSON]
    budget: Budget
    extensions: Extensions
    lenient: bool

    def render(self, value: JSON, path: str) -> JSON | Undefined:
        if isinstance(value, str):
            return self._text(value, path) if is_template(value) else value
        if not isinstance(value, Mapping) and not is_list(value):
            return value
        try:
            self.budget.enter()
        except LimitError as fault:
            raise to_error(fault, "", field=path) from None
        result: JSON
        if isinstance(value, Mapping):
            members = ((key, self.render(item, f"{path}.{key}" if path else str(key))) for key, item in value.items())
            result = {key: item for key, item in members if item is not UNDEFINED}
        else:
            items = [self.render(item, f"{path}[{index}]") for index, item in enumerate(value)]
            result = [None if item is UNDEFINED else item for item in items]
        self.budget.leave()
        return result

    def _text(self, source: str, path: str) -> JSON | Undefined:
        depth = self.budget.depth
        try:
            return _evaluate(source, self.context, self.budget, self.extensions)
        except TemplateError as fault:
            if self.lenient and not isinstance(fault, LimitError):
                self.budget.reset_depth(depth)
                return source
            raise to_error(fault, source, field=path or None) from None


def evaluate_condition(
    value: JSON,
    context: Mapping[str, JSON],
    *,
    extensions: Extensions = NO_EXTENSIONS,
    limits: Limits = EXPRESSION_LIMITS,
    field: str = "if",
) -> bool:
    """Whether a step with this ``if`` runs: false for false, undefined, null, "", 0 and the empty list.

    A condition that can not be evaluated raises Invalid (``templating.expression``). Backstage runs the step then;
    a typing error must not do what the condition was there to prevent.
    """
    if isinstance(value, str):
        value = render_value(value, context, lenient=False, extensions=extensions, limits=limits, field=field)
    return truthy(value) and not (is_list(value) and not value)


def expand_each(
    value: JSON,
    context: Mapping[str, JSON],
    *,
    extensions: Extensions = NO_EXTENSIONS,
    limits: Limits = EXPRESSION_LIMITS,
    field: str = "each",
) -> list[tuple[str, JSON]]:
    """The turns of a step's ``each``: keys "0", "1", … of a list, the keys of an object.

    Raises Invalid (``templating.each``) for anything else, and ``templating.expression`` for a bad expression.
    """
    rendered = render_value(value, context, lenient=False, extensions=extensions, limits=limits, field=field)
    if isinstance(rendered, Mapping):
        return list(rendered.items())
    if isinstance(rendered, list):
        return [(str(index), item) for index, item in enumerate(rendered)]
    problem = "cannot be resolved to a value" if rendered is UNDEFINED else "must resolve to an array or object"
    raise Invalid(
        "templating.each",
        f"{field} {problem}: {value!s:.200}",
        hint="Give a list or an object, or an expression that yields one.",
    )


def render_file(
    text: str,
    context: Mapping[str, JSON],
    *,
    name: str | None = None,
    trim_blocks: bool = False,
    lstrip_blocks: bool = False,
    cookiecutter: bool = False,
    extensions: Extensions = NO_EXTENSIONS,
    limits: Limits = FILE_LIMITS,
) -> str:
    """Render the contents of a file. Raises Invalid (``templating.file``) with ``name``, line and column."""
    syntax = Syntax(trim_blocks=trim_blocks, lstrip_blocks=lstrip_blocks)
    if cookiecutter:
        syntax = replace(syntax, output_start="{{")
    return _render_text(
        text, context, syntax=syntax, name=name, extensions=extensions, limits=limits, cookiecutter=cookiecutter
    )


def render_path(
    path: str,
    context: Mapping[str, JSON],
    *,
    cookiecutter: bool = False,
    extensions: Extensions = NO_EXTENSIONS,
    limits: Limits = EXPRESSION_LIMITS,
) -> str | None:
    """Render a relative path with ``/``; None when a segment became empty, which means: leave this one out.

    Raises Invalid: ``templating.file`` for a bad expression, ``templating.path`` for a result that leaves its folder.
    """
    syntax = Syntax(output_start="{{") if cookiecutter else _VALUE_SYNTAX
    rendered = _render_text(
        path, context, syntax=syntax, name=path, extensions=extensions, limits=limits, cookiecutter=cookiecutter
    )
    segments = rendered.split("/")
    if "" in segments:
        return None
    if any(part in (".", "..") or len(part.encode()) > 255 for part in segments) or any(
        char == "\\" or ord(char) < 32 or ord(char) == 127 for char in rendered
    ):
        raise Invalid(
            "templating.path",
            f"The path {path!r} became {rendered[:300]!r}, which is not a file inside the target folder.",
            hint="Check the values used in the name of this file.",
        )
    return rendered


def _render_text(
    text: str,
    context: Mapping[str, JSON],
    *,
    syntax: Syntax,
    name: str | None,
    extensions: Extensions,
    limits: Limits,
    cookiecutter: bool,
) -> str:
    def run() -> str:
        budget = Budget(limits)
        body = parse(text, syntax, budget)
        return _interpreter(context, budget, extensions, COOKIECUTTER_FILTERS if cookiecutter else {}).text(body)

    try:
        return str(guarded(run))
    except TemplateError as fault:
        raise to_error(fault, text, code="templating.file", file=name) from None


def functions_called(value: JSON) -> frozenset[str]:
    """The functions that a text calls, such as ``always`` and ``failure``; nothing when it is wrong."""
    if not isinstance(value, str) or not is_template(value):
        return frozenset()
    try:
        body = guarded(lambda: parse(value, _VALUE_SYNTAX, Budget(EXPRESSION_LIMITS)))
    except TemplateError:
        return frozenset()
    return frozenset(_calls(body))


def _calls(part: object) -> Iterator[str]:
    """Walk a tree of nodes, which are frozen dataclasses and tuples all the way down."""
    if isinstance(part, tuple):
        for item in part:
            yield from _calls(item)
        return
    if isinstance(part, nodes.Call) and isinstance(part.target, nodes.Name):
        yield part.target.name
    if isinstance(part, nodes.Node | nodes.Arguments):
        for slot in part.__dataclass_fields__:
            yield from _calls(getattr(part, slot))
