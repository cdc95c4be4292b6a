"""The answers as lines to read before anything happens: label and text, masked where the template says so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flagstone.toolkit.web.forms.formats import file_name
from flagstone.toolkit.web.forms.repos import host_parts, parse_repo_url
from flagstone.toolkit.web.forms.schema import (
    Schema,
    as_schema,
    clean,
    is_group,
    is_helper,
    kind_of,
    ordered,
    settle,
    settle_inner,
)
from flagstone.toolkit.web.forms.widgets import ENTITY_FIELDS, choices, ui

MASK = "••••••••"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. ``refs`` are entity references in it, so that the page can name them; ``step`` counts pages from 0."""

    name: str
    label: str
    text: str
    step: int
    refs: tuple[str, ...] = ()
    code: bool = False


def summary(pages: Sequence[Schema], values: Mapping[str, Any]) -> list[list[Entry]]:
    """For each page its lines; what does not apply or is not to be shown is left out."""
    everything = dict(values)
    found: list[list[Entry]] = []
    for number, page in enumerate(pages):
        schema, everything = settle(page, everything)
        found.append(list(_lines(schema, everything, number, page)))
    return found


def _lines(schema: Schema, values: Mapping[str, Any], step: int, root: Schema, above: str = "") -> Iterator[Entry]:
    for name in ordered(schema):
        rule = schema["properties"][name]
        review = as_schema(as_schema(rule.get("ui:backstage")).get("review"))
        if review.get("show") is False or ui(rule, "widget") == "hidden" or is_helper(name):
            continue
        label = above + str(review.get("name") or ui(rule, "title") or rule.get("title") or name)
        value = values.get(name)
        if value is None or value in ("", [], {}):
            continue
        if review.get("mask") or rule.get("ui:field") == "Secret" or ui(rule, "widget") == "password":
            yield Entry(name, label, str(review.get("mask") or MASK), step)
        elif kind_of(rule) == "object" and is_group(rule) and isinstance(value, dict):
            yield from _group(rule, value, step, root, label, flat=review.get("explode") is not False)
        else:
            yield _line(name, label, rule, value, step)


def _group(
    rule: Schema, value: Mapping[str, Any], step: int, root: Schema, label: str, *, flat: bool
) -> Iterator[Entry]:
    """An object: a line for each of its fields, or all of them in one."""
    whole = clean(rule, value, root, True)
    if not flat:
        yield Entry(label, label, json.dumps(whole, indent=2, ensure_ascii=False), step, code=True)
        return
    inner, filled = settle_inner(rule, value, root)
    yield from _lines(inner, filled, step, root, f"{label} › ")
    for key, item in whole.items():
        if key not in inner["properties"]:
            yield Entry(key, f"{label} › {key}", item if isinstance(item, str) else json.dumps(item), step)


def _line(name: str, label: str, rule: Schema, value: Any, step: int) -> Entry:
    field = str(rule.get("ui:field", ""))
    if field in ENTITY_FIELDS:
        refs = tuple(str(item) for item in (value if isinstance(value, list) else [value]))
        return Entry(name, label, ", ".join(refs), step, refs)
    if field == "RepoUrlPicker" and isinstance(value, str):
        repo = parse_repo_url(value)
        parts = "/".join(filter(None, (repo.part(part) for part in host_parts(repo.host))))
        return Entry(name, label, f"{parts} on {repo.host}", step)
    if isinstance(value, list) and all(not isinstance(item, dict | list) for item in value):
        return Entry(name, label, ", ".join(_text(as_schema(rule.get("items")), item) for item in value), step)
    if isinstance(value, dict | list):
        return Entry(name, label, json.dumps(value, indent=2, ensure_ascii=False), step, code=True)
    return Entry(name, label, _text(rule, value), step)


def _text(rule: Schema, value: Any) -> str:
    """A value by its label, where it has one."""
    if isinstance(value, str) and value.startswith("data:"):
        return file_name(value) or "A file"
    for choice, label in choices(rule):
        if choice == value and isinstance(choice, bool) is isinstance(value, bool):
            return label
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return str(value)
