"""The answers of a trigger as texts of a form, and its conditions. No request, no markup.

Here every answer is a text: a value, JSON for lists and objects, or an expression over the event. Pickers belong to the
form of the golden path.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flagstone.kernel.errors import Problem
from flagstone.portal.golden_paths import GoldenPath
from flagstone.toolkit.web.forms import settle, ui
from flagstone.toolkit.web.forms.schema import is_helper, kind_of

_REFS = {
    "EntityPicker": "An entity, such as component:default/orders.",
    "OwnedEntityPicker": "An entity, such as component:default/orders.",
    "OwnerPicker": "A group or user, such as group:default/payments.",
    "MyGroupsPicker": "A group, such as group:default/payments.",
    "RepoUrlPicker": "A repository, such as flagstone?owner=acme&repo=orders.",
}
_MOST_CONDITIONS = 50


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer in a form of texts. ``kind`` is the type of its schema."""

    name: str
    title: str
    kind: str
    help: str
    required: bool
    text: str
    choices: tuple[str, ...] = ()

    @property
    def long(self) -> bool:
        """Whether it takes several lines."""
        return self.kind in ("array", "object") or len(self.text) > 80


def answer_fields(path: GoldenPath, values: Mapping[str, Any]) -> tuple[Answer, ...]:
    """What a golden path asks for, in the order of its form; secrets are left out, a trigger can hold none."""
    return tuple(
        Answer(
            name=name,
            title=str(rule.get("title") or name),
            kind=kind_of(rule),
            help=_help(rule),
            required=required,
            text=_text(filled.get(name)),
            choices=tuple(_text(item) for item in rule.get("enum") or ()),
        )
        for name, rule, required, filled in _asked(path, values)
    )


def read_answers(path: GoldenPath, texts: Mapping[str, str]) -> tuple[dict[str, Any], list[Problem]]:
    """Texts of a form as answers, and what cannot be read. An empty text is no answer."""
    given = {name: text for name, text in texts.items() if text.strip()}
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, rule, _, _ in _asked(path, given):
        if name not in given:
            continue
        kind, text = kind_of(rule), given[name]
        if kind == "string" or "${{" in text:
            values[name] = text.strip() if kind != "string" or "\n" not in text else text
            continue
        try:
            values[name] = json.loads(text)
        except (ValueError, RecursionError):
            problems.append(Problem(_expected(kind), field=name))
    return values, problems


def _asked(
    path: GoldenPath, values: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any], bool, Mapping[str, Any]]]:
    seen: set[str] = set()
    for page in path.pages:
        schema, filled = settle(page, values)
        for name, rule in schema["properties"].items():
            secret = rule.get("ui:field") == "Secret" or ui(rule, "widget") == "password"
            if not is_helper(name) and not secret and name not in seen:
                seen.add(name)
                yield name, rule, name in schema["required"], filled


def _help(rule: Mapping[str, Any]) -> str:
    known = _REFS.get(str(rule.get("ui:field")))
    shape = {"array": "A list as JSON.", "object": "An object as JSON.", "boolean": "true or false."}
    return " ".join(filter(None, [str(rule.get("description") or ""), known or shape.get(kind_of(dict(rule)))]))


def _expected(kind: str) -> str:
    words = {"boolean": "write true or false", "integer": "write a whole number", "number": "write a number"}
    return words.get(kind, "this is no JSON")


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def condition_rows(conditions: Mapping[str, Any], empty: int = 2) -> tuple[tuple[str, str], ...]:
    """Conditions as (place, text), with rows to fill in; a text that would be read as something else is quoted."""
    rows = [(place, value if _plain(value) else json.dumps(value)) for place, value in conditions.items()]
    return (*rows, *[("", "")] * empty)


def read_conditions(places: Sequence[str], wanted: Sequence[str]) -> dict[str, Any]:
    """What stands in the rows: a text, or JSON of a number, yes or no, or a list of texts."""
    found: dict[str, Any] = {}
    for place, text in list(zip(places, wanted, strict=False))[:_MOST_CONDITIONS]:
        if place.strip():
            found[place.strip()] = _value(text.strip())
    return found


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, dict) else value


def _plain(value: Any) -> bool:
    return isinstance(value, str) and _value(value) == value
