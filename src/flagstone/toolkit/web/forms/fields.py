"""What to draw: the fields of a page, with everything a control needs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flagstone.toolkit.web.forms.formats import file_name
from flagstone.toolkit.web.forms.names import element_id, join
from flagstone.toolkit.web.forms.repos import RepoUrl, parse_repo_url
from flagstone.toolkit.web.forms.schema import (
    EXTRA,
    Schema,
    as_schema,
    item_rule,
    kind_of,
    ordered,
    settle,
    settle_inner,
)
from flagstone.toolkit.web.forms.widgets import choices, encode, ui, widget_of

_MAX_DEPTH = 6
MAX_ROWS = 100
"""Rows of one list that a form takes."""
_PICKERS = ("entity", "entities", "owned", "search", "labels")


@dataclass(frozen=True, slots=True)
class Option:
    """A choice. ``value`` is what the control posts; ``text`` a second line, for option cards."""

    value: str
    label: str
    text: str = ""
    disabled: bool = False


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
    """What a picker sends with every search: the name of the field."""
    repo: RepoUrl | None = None
    fixed: bool = False
    """Shown, but not to be changed."""
    custom: str = ""
    """``ui:field`` as written."""
    rule: Mapping[str, Any] = field(default_factory=dict)
    """Its schema."""
    full: bool = False
    """Whether a list takes no more entries."""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The options as (value, label)."""
        return [(option.value, option.label) for option in self.options]

    @property
    def closed(self) -> list[str]:
        """Values of the options that cannot be chosen."""
        return [option.value for option in self.options if option.disabled]

    @property
    def cards(self) -> list[tuple[str, str, str]]:
        """The options as (value, label, text)."""
        return [(option.value, option.label, option.text) for option in self.options]

    @property
    def token_name(self) -> str:
        """Name of the secret that a repository asks for beside its address; empty for none."""
        asked = as_schema(self.settings.get("requestUserCredentials")).get("secretsKey")
        return str(asked) if self.widget == "repo" and isinstance(asked, str) else ""


def flat(found: Sequence[Field]) -> Iterator[Field]:
    """All fields, those inside groups and rows, too."""
    for item in found:
        yield item
        yield from flat(item.fields)
        for row in item.rows:
            yield from flat(row.fields)


def problems(
    drawn: Sequence[Field], said: Mapping[str, str], labels: Mapping[str, str], elsewhere: str
) -> tuple[tuple[str, str, str], ...]:
    """What is wrong, for the list above a form: (id of the control, its label, what it is).

    ``said`` are messages by field name; ``labels`` are of fields that are not drawn, ``elsewhere`` is an id for them.
    """
    shown = {item.name: item for item in flat(drawn)}
    found = []
    for name, text in said.items():
        item = shown.get(name)
        found.append((item.id, item.label, text) if item else (elsewhere, labels.get(name, name), text))
    return tuple(found)


def fields(
    page: Schema,
    values: Mapping[str, Any],
    errors: Mapping[str, str] | None = None,
    custom: Mapping[str, str] | None = None,
) -> tuple[Field, ...]:
    """The fields of a page for the values so far. ``errors`` are messages by field name.

    ``custom`` are the controls of fields that plugins bring, by the name in ``ui:field``.
    """
    schema, filled = settle(page, values)
    return _Builder(page, errors or {}, custom or {}).all(schema, filled, ())


class _Builder:
    """Builds the fields of one page."""

    def __init__(self, root: Schema, errors: Mapping[str, str], custom: Mapping[str, str]) -> None:
        self._root = root
        self._errors = errors
        self._custom = custom

    def all(self, schema: Schema, values: Mapping[str, Any], path: tuple[str | int, ...]) -> tuple[Field, ...]:
        required = schema["required"]
        return tuple(
            self.one(schema["properties"][name], values.get(name), (*path, name), required=name in required)
            for name in ordered(schema)
        )

    def one(self, rule: Schema, value: Any, path: tuple[str | int, ...], *, required: bool) -> Field:
        name = join(path)
        widget, note = widget_of(rule, self._custom)
        if len(path) > 2 * _MAX_DEPTH and widget in ("group", "rows"):
            widget = "json"
        fixed = bool(ui(rule, "disabled") or ui(rule, "readonly") or rule.get("readOnly"))
        settings = as_schema(rule.get("ui:options"))
        return Field(
            name=name,
            id=element_id(name),
            label=str(ui(rule, "title") or rule.get("title") or _label_of(path)),
            widget=widget,
            value=_shown(widget, value, rule),
            required=required,
            help=_help(rule, widget),
            note=note or _note(widget),
            error=self._errors.get(name),
            placeholder=str(ui(rule, "placeholder") or ""),
            options=_options(rule, widget),
            fields=self._inner(rule, value, path) if widget == "group" else (),
            rows=self._rows(rule, value, path) if widget == "rows" else (),
            attrs=_attrs(rule, widget, fixed=fixed),
            settings=settings,
            filters={"field": name} if widget in _PICKERS else {},
            repo=parse_repo_url(value if isinstance(value, str) else "") if widget == "repo" else None,
            fixed=fixed,
            custom=str(rule.get("ui:field") or ""),
            rule=rule,
            full=widget == "rows" and _is_full(rule, value),
        )

    def _inner(self, rule: Schema, value: Any, path: tuple[str | int, ...]) -> tuple[Field, ...]:
        schema, filled = settle_inner(rule, value if isinstance(value, dict) else {}, self._root)
        return self.all(schema, filled, path)

    def _rows(self, rule: Schema, value: Any, path: tuple[str | int, ...]) -> tuple[Row, ...]:
        items = list(value) if isinstance(value, list) else []
        fixed, least = rule.get("items"), rule.get("minItems")
        wanted = len(fixed) if isinstance(fixed, list) else min(least if isinstance(least, int) else 0, MAX_ROWS)
        items += [None] * (wanted - len(items))
        rows = []
        for index, item in enumerate(items[:MAX_ROWS]):
            inner, place = item_rule(rule, index, self._root), (*path, index)
            shown = inner.get("default") if item is None else item
            if widget_of(inner, self._custom)[0] == "group":
                found = self._inner(inner, shown, place)
            else:
                found = (self.one(inner, shown, place, required=True),)
            rows.append(Row(join(place), found))
        return tuple(rows)


def _is_full(rule: Schema, value: Any) -> bool:
    count, most = len(value) if isinstance(value, list) else 0, rule.get("maxItems")
    if isinstance(rule.get("items"), list) and not isinstance(rule.get("additionalItems"), dict):
        return True
    return count >= (min(most, MAX_ROWS) if isinstance(most, int) else MAX_ROWS)


def _label_of(path: tuple[str | int, ...]) -> str:
    last = path[-1]
    if last == EXTRA:
        return "Entries"
    return f"Entry {last + 1}" if isinstance(last, int) else last


def _help(rule: Schema, widget: str) -> str:
    parts = [ui(rule, "description") or rule.get("description"), ui(rule, "help")]
    helper = as_schema(rule.get("ui:options")).get("helperText")
    zone = "Date and time in UTC." if widget == "datetime-local" else ""
    return " ".join(str(part) for part in (*parts, helper, zone) if part)


def _note(widget: str) -> str:
    if widget == "password":
        return "This value is kept with the run. The template should ask for it with the Secret field."
    return ""


def _options(rule: Schema, widget: str) -> tuple[Option, ...]:
    source = as_schema(rule.get("items")) if widget in ("checkboxes", "many") else rule
    texts = rule.get("ui:enumDescriptions")
    found = choices(source)
    second = texts if isinstance(texts, list) and len(texts) == len(found) else [""] * len(found)
    off = [*(_list(ui(rule, "enumDisabled"))), *(_list(ui(source, "enumDisabled")))]
    return tuple(
        Option(encode(value), label, str(text), value in off)
        for (value, label), text in zip(found, second, strict=True)
    )


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _shown(widget: str, value: Any, rule: Schema) -> Any:  # noqa: PLR0911  one per widget
    """The value as its control wants it."""
    if widget in ("secret", "group", "rows"):
        return None
    if widget == "switch":
        return value is True
    if widget in ("checkboxes", "many", "tags", "entities", "labels"):
        return [encode(item) for item in value] if isinstance(value, list) else []
    if widget in ("file", "files"):
        texts = value if isinstance(value, list) else [value]
        return [file_name(text) or "a file" for text in texts if isinstance(text, str) and text.startswith("data:")]
    if widget == "json":
        if value is None:
            return ""
        return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    if widget == "range" and value is None:
        return rule.get("minimum", 0)
    if widget == "datetime-local":
        return _local(value)
    if widget == "color" and value is None:
        return "#000000"
    return "" if value is None else encode(value)


def _local(value: Any) -> str:
    """A moment as the control for date and time wants it, in UTC."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return ""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M") if moment.tzinfo else moment.strftime("%Y-%m-%dT%H:%M")


def _attrs(rule: Schema, widget: str, *, fixed: bool) -> dict[str, Any]:
    attrs: dict[str, Any] = {"autofocus": bool(ui(rule, "autofocus")) or None}
    if fixed:
        unwritable = ("select", "switch", "radio", "cards", "checkboxes", "many", "file", "files", "color", "range")
        attrs["disabled" if widget in unwritable else "readonly"] = True
    if widget in ("text", "textarea", "email", "url"):
        attrs["maxlength"] = rule.get("maxLength")
        attrs["autocomplete"] = ui(rule, "autocomplete") or "off"
    if widget in ("number", "range"):
        attrs |= {"min": rule.get("minimum"), "max": rule.get("maximum")}
        attrs["step"] = rule.get("multipleOf") or (1 if kind_of(rule) == "integer" else "any")
    if widget in ("file", "files"):
        attrs["accept"] = ui(rule, "accept")
    return {key: value for key, value in attrs.items() if value is not None}
