"""Reading, writing and merging JSON and YAML, bounded: what is nested or grown beyond measure is refused by name."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from flagstone.kernel.errors import Invalid, Problem
from flagstone.sdk import ActionTools

MOST_TEXT = 10_000_000
_MOST_DEPTH = 64
_INDENT = re.compile(r"^([ \t]+)\S", re.MULTILINE)


def read_json(text: str, name: str) -> Any:
    """JSON data. Raises Invalid (``actions.bad_json``, ``actions.too_large``) with the line."""
    bounded(text, name)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        problem = Problem(str(getattr(error, "msg", "it nests too deeply")), file=name, line=line)
        raise Invalid("actions.bad_json", f"{name} is not valid JSON.", problems=[problem]) from error
    _check_depth(found, name)
    return found


def bounded(text: str, name: str) -> str:
    """The same text. Raises Invalid (``actions.too_large``)."""
    if len(text) > MOST_TEXT:
        raise Invalid("actions.too_large", f"{name} is too large.", hint=f"At most {MOST_TEXT:,} characters are read.")
    return text


def read_data(tools: ActionTools, text: str, name: str) -> Any:
    """One document of JSON or YAML, by the ending of the name; YAML when it says nothing."""
    if name.lower().endswith(".json"):
        return read_json(text, name)
    documents = tools.read_yaml(bounded(text, name), name=name)
    if len(documents) > 1:
        raise Invalid(
            "actions.many_documents", f"{name} holds {len(documents)} documents.", hint="Use the parser multiyaml."
        )
    return documents[0] if documents else None


def write_json(value: Any, space: int | str | None = 2, keys: Sequence[str] | None = None) -> str:
    """JSON as JavaScript writes it; ``keys`` keeps only these members, at any depth."""
    return json.dumps(
        _only(value, frozenset(keys)) if keys else value,
        indent=space or None,
        ensure_ascii=False,
        separators=None if space else (",", ":"),
    )


def indent_of(text: str) -> int | str:
    """How a JSON text is indented; two blanks when it is not."""
    found = _INDENT.search(text)
    return found.group(1) if found else 2


def merge(target: Any, source: Any, *, lists: bool = False) -> Any:
    """``source`` over ``target``: objects member by member, lists place by place, or joined when ``lists`` is set."""
    if isinstance(target, dict) and isinstance(source, dict):
        found = dict(target)
        for key, value in source.items():
            found[key] = merge(target[key], value, lists=lists) if key in target else value
        return found
    if isinstance(target, list) and isinstance(source, list):
        if lists:
            return [*target, *source]
        pairs = [merge(old, new, lists=lists) for old, new in zip(target, source, strict=False)]
        return [*pairs, *target[len(pairs) :], *source[len(pairs) :]]
    return source


def _only(value: Any, keys: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {key: _only(item, keys) for key, item in value.items() if key in keys}
    return [_only(item, keys) for item in value] if isinstance(value, list) else value


def _check_depth(value: Any, name: str) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > _MOST_DEPTH:
            raise Invalid("actions.too_deep", f"{name} nests deeper than {_MOST_DEPTH} levels.")
        level = [
            item
            for outer in level
            for item in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
        ]
