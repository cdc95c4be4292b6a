"""What to draw: the fields of a page, with everything a control needs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flagstone.toolkit.web.forms.names import element_id, join
from flagstone.toolkit.web.forms.repos import RepoUrl, parse_repo_url
from flagstone.toolkit.web.forms.schema import Schema, as_schema, item_rule, kind_of, ordered, settle, settle_inner

_FIELDS = {
    "EntityPicker": "entity",
    "OwnerPicker": "entity",
    "OwnedEntityPicker": "owned",
    "MyGroupsPicker": "groups",
    "MultiEntityPicker": "entities",
    "EntityNamePicker": "text",
    "EntityTagsPicker": "tags",
    "RepoUrlPicker": "repo",
    "RepoBranchPicker": "text",
    "RepoOwnerPicker": "text",
    "Secret": "secret",
}
_WIDGETS = {
    "textarea": "textarea",
    "password": "password",
    "hidden": "hidden",
    "range": "range",
    "updown": "number",
    "date": "date",
    "email": "email",
    "uri": "url",
    "switch": "switch",
    "checkbox": "switch",
}
_MAX_DEPTH = 6
MAX_ROWS = 100
"""Rows of one list that a form takes."""


@dataclass(frozen=True, slots=True)
class Option:
    """A choice. ``value`` is what the control posts; ``text`` a second line, for option cards."""

    value: str
    label: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a list that grows: a number of fields with a common place."""

    name: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """One control (or a group of them). ``note`` is something the person should know about it."""

    name: str
    id: str
    label: str
    widget: str
    value: Any = None
    required: bool = False
    help: str = ""
    note: str = ""
    error: str | None = None
    placeholder: str = ""
    options: tuple[Option, ...] = ()
    fields: tuple[Field, ...] = ()
    rows: tuple[Row, ...] = ()
    attrs: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """``ui:options`` as written."""
    filters: Mapping[str, str] = field(default_factory=dict)
    """What a picker sends with every search: ``kind`` (comma-separated), ``type``."""
    repo: RepoUrl | None = None
    fixed: bool = False
    """Shown, but not to be changed."""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The options as (value, label)."""
        return [(option.value, option.label) for option in self.options]

    @property
    def cards(self) -> list[tuple[str, str, str]]:
        """The options as (value, label, text)."""
        return [(option.value, option.label, option.text) for option in self.options]


def flat(found: Sequence[Field]) -> Iterator[Field]:
    """All fields, those inside groups and rows, too."""
    for item in found:
        yield item
        yield from flat(item.fields)
        for row in item.rows:
            yield from flat(row.fields)


def fields(page: Schema, values: Mapping[str, Any], errors: Mapping[str, str] | None = None) -> tuple[Field, ...]:
    """The fields of a page for the values so far. ``errors`` are messages by field name."""
    schema, filled = settle(page, values)
    return _Builder(page, errors or {}).all(schema, filled, ())


def widget_of(rule: Schema) -> tuple[str, str]:
    """Which control draws a value, and a note when it is not the one that was asked for."""
    custom = rule.get("ui:field")
    if isinstance(custom, str):
        known = _FIELDS.get(custom)
        if known:
            return known, ""
        return _plain(rule), f"This field asks for {custom}, which is not installed here. Fill in its value as text."
    return _plain(rule), ""


def _plain(rule: Schema) -> str:  # noqa: PLR0911  one per type
    kind, wanted = kind_of(rule), str(rule.get("ui:widget") or as_schema(rule.get("ui:options")).get("widget") or "")
    if kind == "object":
        return "group" if as_schema(rule.get("properties")) else "json"
    if kind == "array":
        return _list_widget(rule, wanted)
    if wanted == "hidden":
        return "hidden"
    if choices(rule):
        return _choice_widget(rule, wanted)
    if kind == "boolean":
        return {"radio": "radio", "select": "select"}.get(wanted, "switch")
    if wanted in _WIDGETS and wanted not in ("switch", "checkbox"):
        return _WIDGETS[wanted]
    if kind in ("integer", "number"):
        return "number"
    return {"date": "date", "email": "email", "uri": "url"}.get(str(rule.get("format")), "text")


def _choice_widget(rule: Schema, wanted: str) -> str:
    if rule.get("ui:enumDescriptions") or as_schema(rule.get("ui:options")).get("display") == "cards":
        return "cards"
    return "radio" if wanted == "radio" else "select"


def _list_widget(rule: Schema, wanted: str) -> str:
    items = rule.get("items")
    inner = as_schema(items)
    if wanted == "hidden":
        return "hidden"
    if not isinstance(items, list) and choices(inner) and (wanted == "checkboxes" or rule.get("uniqueItems")):
        return "checkboxes"
    if not items:
        return "json"
    plain = (
        kind_of(inner) == "string" and not choices(inner) and not inner.get("ui:field") and not inner.get("ui:widget")
    )
    known = [*_listed(rule.get("default"))]
    if plain and not isinstance(items, list) and not any("," in str(item) for item in known):
        return "tags"
    return "rows"


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def choices(rule: Schema) -> list[tuple[Any, str]]:
    """(value, label) of everything that may be chosen; empty when the value is free."""
    names = rule.get("enumNames") or rule.get("ui:enumNames")
    if isinstance(rule.get("enum"), list):
        labels = names if isinstance(names, list) and len(names) == len(rule["enum"]) else rule["enum"]
        return [(value, _words(label)) for value, label in zip(rule["enum"], labels, strict=True)]
    for key in ("oneOf", "anyOf"):
        found = _listed(rule.get(key))
        if found and all(isinstance(item, dict) and "const" in item for item in found):
            return [(item["const"], _words(item.get("title", item["const"]))) for item in found]
    if kind_of(rule) == "boolean" and rule.get("ui:widget") in ("radio", "select"):
        labels = names if isinstance(names, list) and len(names) == 2 else ("Yes", "No")
        return [(True, str(labels[0])), (False, str(labels[1]))]
    return []


def _words(label: Any) -> str:
    return (
        {True: "Yes", False: "No", None: "None"}.get(label, str(label))
        if isinstance(label, bool | None)
        else str(label)
    )


def allowed_kinds(rule: Schema) -> list[str]:
    """Kinds that a picker offers: of its filter, else of ``allowedKinds``; owners are groups and users."""
    settings = as_schema(rule.get("ui:options"))
    filters = settings.get("catalogFilter")
    found: list[str] = []
    for item in filters if isinstance(filters, list) else [filters]:
        kinds = as_schema(item).get("kind")
        found += [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if isinstance(kind, str)]
    if not found:
        found = [kind for kind in settings.get("allowedKinds") or () if isinstance(kind, str)]
    if not found and rule.get("ui:field") == "OwnerPicker":
        found = ["Group", "User"]
    return list(dict.fromkeys(found))


def encode(value: Any) -> str:
    """A choice as the text that a control posts."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), sort_keys=True)


class _Builder:
    """Builds the fields of one page."""

    def __init__(self, root: Schema, errors: Mapping[str, str]) -> None:
        self._root = root
        self._errors = errors

    def all(self, schema: Schema, values: Mapping[str, Any], path: tuple[str | int, ...]) -> tuple[Field, ...]:
        required = schema["required"]
        return tuple(
            self.one(schema["properties"][name], values.get(name), (*path, name), required=name in required)
            for name in ordered(schema)
        )

    def one(self, rule: Schema, value: Any, path: tuple[str | int, ...], *, required: bool) -> Field:
        name = join(path)
        widget, note = widget_of(rule)
        if len(path) > 2 * _MAX_DEPTH and widget in ("group", "rows"):
            widget = "json"
        options = _options(rule, widget)
        settings = as_schema(rule.get("ui:options"))
        fixed = bool(rule.get("ui:disabled") or rule.get("ui:readonly") or rule.get("readOnly"))
        label = rule.get("ui:title") or rule.get("title") or _label_of(path)
        parts = [rule.get("ui:description") or rule.get("description"), rule.get("ui:help")]
        return Field(
            name=name,
            id=element_id(name),
            label=str(label),
            widget=widget,
            value=_shown(widget, value, rule),
            required=required,
            help=" ".join(str(part) for part in parts if part),
            note=note or _note(widget),
            error=self._errors.get(name),
            placeholder=str(rule.get("ui:placeholder") or settings.get("placeholder") or ""),
            options=options,
            fields=self._inner(rule, value, path) if widget == "group" else (),
            rows=self._rows(rule, value, path) if widget == "rows" else (),
            attrs=_attrs(rule, widget, fixed=fixed),
            settings=settings,
            filters=_filters(rule) if widget in ("entity", "entities", "owned") else {},
            repo=parse_repo_url(value if isinstance(value, str) else "") if widget == "repo" else None,
            fixed=fixed,
        )

    def _inner(self, rule: Schema, value: Any, path: tuple[str | int, ...]) -> tuple[Field, ...]:
        schema, filled = settle_inner(rule, value if isinstance(value, dict) else {}, self._root)
        return self.all(schema, filled, path)

    def _rows(self, rule: Schema, value: Any, path: tuple[str | int, ...]) -> tuple[Row, ...]:
        items = list(value) if isinstance(value, list) else []
        fixed = rule.get("items")
        least = len(fixed) if isinstance(fixed, list) else min(int(rule.get("minItems") or 0), MAX_ROWS)
        items += [None] * (least - len(items))
        rows = []
        for index, item in enumerate(items[:MAX_ROWS]):
            inner, place = item_rule(rule, index, self._root), (*path, index)
            if widget_of(inner)[0] == "group":
                found = self._inner(inner, item, place)
            else:
                found = (self.one(inner, item, place, required=True),)
            rows.append(Row(join(place), found))
        return tuple(rows)


def _label_of(path: tuple[str | int, ...]) -> str:
    last = path[-1]
    return f"Entry {last + 1}" if isinstance(last, int) else last


def _note(widget: str) -> str:
    if widget == "password":
        return "This value is kept with the run. The template should ask for it with the Secret field."
    return ""


def _options(rule: Schema, widget: str) -> tuple[Option, ...]:
    source = as_schema(rule.get("items")) if widget == "checkboxes" else rule
    texts = rule.get("ui:enumDescriptions")
    found = choices(source)
    second = texts if isinstance(texts, list) and len(texts) == len(found) else [""] * len(found)
    return tuple(Option(encode(value), label, str(text)) for (value, label), text in zip(found, second, strict=True))


def _shown(widget: str, value: Any, rule: Schema) -> Any:  # noqa: PLR0911  one per widget
    """The value as its control wants it."""
    if widget in ("secret", "group", "rows"):
        return None
    if widget == "switch":
        return value is True
    if widget in ("checkboxes", "tags", "entities"):
        return [encode(item) for item in value] if isinstance(value, list) else []
    if widget == "json":
        if value is None:
            return ""
        return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    if widget == "range" and value is None:
        return rule.get("minimum", 0)
    return "" if value is None else encode(value)


def _filters(rule: Schema) -> dict[str, str]:
    wanted = as_schema(rule.get("ui:options")).get("catalogFilter")
    types = {as_schema(item).get("spec.type") for item in (wanted if isinstance(wanted, list) else [wanted])}
    found = {"kind": ",".join(allowed_kinds(rule))}
    found["type"] = ",".join(sorted(item for item in types if isinstance(item, str)))
    return {key: value for key, value in found.items() if value}


def _attrs(rule: Schema, widget: str, *, fixed: bool) -> dict[str, Any]:
    attrs: dict[str, Any] = {"autofocus": bool(rule.get("ui:autofocus")) or None}
    if fixed:
        attrs["disabled" if widget in ("select", "switch", "radio", "cards", "checkboxes") else "readonly"] = True
    if widget in ("text", "textarea", "email", "url"):
        attrs["maxlength"] = rule.get("maxLength")
        attrs["autocomplete"] = rule.get("ui:autocomplete") or "off"
    if widget in ("number", "range"):
        attrs |= {"min": rule.get("minimum"), "max": rule.get("maximum")}
        attrs["step"] = rule.get("multipleOf") or (1 if kind_of(rule) == "integer" else "any")
    return {key: value for key, value in attrs.items() if value is not None}
