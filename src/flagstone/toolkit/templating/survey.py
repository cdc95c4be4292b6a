"""What a template uses, without rendering it: names, filters, tests and functions. For checkers of templates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from flagstone.toolkit.templating import checks, nodes
from flagstone.toolkit.templating.faults import TemplateError, position
from flagstone.toolkit.templating.filters import COOKIECUTTER_FILTERS, FILTERS
from flagstone.toolkit.templating.functions import FUNCTIONS
from flagstone.toolkit.templating.interpreter import guarded
from flagstone.toolkit.templating.lexer import Syntax
from flagstone.toolkit.templating.limits import EXPRESSION_LIMITS, FILE_LIMITS, Budget
from flagstone.toolkit.templating.parser import parse

KNOWN_FILTERS = frozenset(FILTERS)
KNOWN_TESTS = checks.NAMES
KNOWN_FUNCTIONS = frozenset({*FUNCTIONS, "always", "failure"})
_BOUND_ALWAYS = frozenset({"loop", "caller", "varargs", "kwargs"})


@dataclass(frozen=True, slots=True)
class Survey:
    """What one text uses. ``fault``: why it cannot be read, at ``line`` of the text."""

    paths: frozenset[tuple[str, ...]] = frozenset()
    """``parameters.name`` as ("parameters", "name"), as far as the keys are written out; local names left out."""
    filters: frozenset[str] = frozenset()
    tests: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    fault: str | None = None
    line: int = 1

    @property
    def unknown(self) -> list[str]:
        """Filters, tests and functions that do not exist, in words."""
        return [
            *(f"filter {name!r}" for name in sorted(self.filters - KNOWN_FILTERS)),
            *(f"test {name!r}" for name in sorted(self.tests - KNOWN_TESTS)),
            *(f"function {name!r}" for name in sorted(self.functions - KNOWN_FUNCTIONS)),
        ]


@dataclass
class _Collector:
    paths: set[tuple[str, ...]] = field(default_factory=set)
    filters: set[str] = field(default_factory=set)
    tests: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    local: set[str] = field(default_factory=set)


def survey(text: str, *, file: bool = False, cookiecutter: bool = False) -> Survey:
    """Look a text over. ``file``: it is the content of a file, not a value of a step."""
    try:
        budget = Budget(FILE_LIMITS if file else EXPRESSION_LIMITS)
        body = guarded(lambda: parse(text, Syntax(), budget))
    except TemplateError as fault:
        return Survey(fault=fault.message, line=position(text, fault.offset)[0])
    found = _Collector()
    for node in _walk(body):
        _note(node, found)
    extra = frozenset(COOKIECUTTER_FILTERS) if cookiecutter else frozenset()
    paths = frozenset(path for path in found.paths if path[0] not in found.local and path[0] not in _BOUND_ALWAYS)
    functions = frozenset(found.functions - found.local - _BOUND_ALWAYS)
    return Survey(paths, frozenset(found.filters - extra), frozenset(found.tests), functions)


def _walk(part: object) -> Iterator[nodes.Node]:
    """Every node, outermost first; a chain of members is one."""
    if isinstance(part, tuple):
        for item in part:
            yield from _walk(item)
        return
    if isinstance(part, nodes.Node):
        yield part
    if isinstance(part, nodes.Member) and _path(part):
        return
    if isinstance(part, nodes.Call) and isinstance(part.target, nodes.Name):
        yield from _walk(part.arguments)
        return
    if isinstance(part, nodes.Node | nodes.Arguments):
        for slot in part.__dataclass_fields__:
            yield from _walk(getattr(part, slot))


def _note(node: nodes.Node, found: _Collector) -> None:
    if isinstance(node, nodes.Name):
        found.paths.add((node.name,))
    elif isinstance(node, nodes.Member):
        path = _path(node)
        if path:
            found.paths.add(path)
    elif isinstance(node, nodes.Filter | nodes.FilterBlock):
        found.filters.add(node.name)
    elif isinstance(node, nodes.Test):
        found.tests.add(node.name)
    elif isinstance(node, nodes.Call) and isinstance(node.target, nodes.Name):
        found.functions.add(node.target.name)
    elif isinstance(node, nodes.For | nodes.Set):
        found.local |= set(node.names)
    elif isinstance(node, nodes.Macro):
        found.local |= {node.name, *(name for name, _ in node.parameters)}
    elif isinstance(node, nodes.CallBlock):
        found.local |= {name for name, _ in node.parameters}


def _path(node: nodes.Expression) -> tuple[str, ...]:
    """The keys of ``a.b["c"]``; empty when one of them is only known when it is rendered."""
    keys: list[str] = []
    while isinstance(node, nodes.Member):
        if not isinstance(node.key, nodes.Literal):
            return ()
        keys.append(str(node.key.value))
        node = node.target
    return (node.name, *reversed(keys)) if isinstance(node, nodes.Name) else ()
