"""The answers as lines to read before anything happens: label and text, masked where the template says so."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flagstone.toolkit.web.forms.repos import parse_repo_url
from flagstone.toolkit.web.forms.schema import Schema, as_schema, kind_of, ordered, settle

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
        found.append(list(_lines(schema, everything, number)))
    return found


def _lines(schema: Schema, values: Mapping[str, Any], step: int) -> list[Entry]:
    lines: list[Entry] = []
    for name in ordered(schema):
        rule = schema["properties"][name]
        review = as_schema(as_schema(rule.get("ui:backstage")).get("review"))
        if review.get("show") is False or rule.get("ui:widget") == "hidden":
            continue
        label = str(review.get("name") or rule.get("ui:title") or rule.get("title") or name)
        value = values.get(name)
        if value is None or value in ("", [], {}):
            continue
        if review.get("mask") or rule.get("ui:field") == "Secret" or rule.get("ui:widget") == "password":
            lines.append(Entry(name, label, str(review.get("mask") or MASK), step))
        else:
            lines.append(_line(name, label, rule, value, step))
    return lines


def _line(name: str, label: str, rule: Schema, value: Any, step: int) -> Entry:
    field = str(rule.get("ui:field", ""))
    if field in ("EntityPicker", "OwnerPicker", "OwnedEntityPicker", "MyGroupsPicker", "MultiEntityPicker"):
        refs = tuple(str(item) for item in (value if isinstance(value, list) else [value]))
        return Entry(name, label, ", ".join(refs), step, refs)
    if field == "RepoUrlPicker" and isinstance(value, str):
        repo = parse_repo_url(value)
        return Entry(name, label, f"{repo.owner}/{repo.repo} on {repo.host}", step)
    if isinstance(value, list) and all(not isinstance(item, dict | list) for item in value):
        return Entry(name, label, ", ".join(_text(as_schema(rule.get("items")), item) for item in value), step)
    if isinstance(value, dict | list):
        return Entry(name, label, json.dumps(value, indent=2, ensure_ascii=False), step, code=True)
    return Entry(name, label, _text(rule, value), step)


def _text(rule: Schema, value: Any) -> str:
    """A value by its label, where it has one."""
    choices = rule.get("enum")
    labels = rule.get("enumNames") or rule.get("ui:enumNames")
    if isinstance(choices, list) and isinstance(labels, list) and value in choices and len(labels) == len(choices):
        return str(labels[choices.index(value)])
    for item in rule.get("oneOf") or ():
        if isinstance(item, dict) and item.get("const") == value and "title" in item:
            return str(item["title"])
    if kind_of(rule) == "boolean" or isinstance(value, bool):
        return "Yes" if value else "No"
    return str(value)
