"""A posted form back into values. Only what the page shows is read, and never more than it may hold."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from flagstone.kernel.errors import Invalid
from flagstone.kernel.refs import parse_ref
from flagstone.toolkit.web.forms.fields import MAX_ROWS
from flagstone.toolkit.web.forms.names import join, split
from flagstone.toolkit.web.forms.repos import RepoUrl, host_parts
from flagstone.toolkit.web.forms.schema import Schema, as_schema, item_rule, kind_of, settle, settle_inner
from flagstone.toolkit.web.forms.widgets import allowed_kinds, choices, encode, ui, widget_of

MAX_BODY = 1_000_000
"""Bytes of one posted form."""
_MAX_PAIRS = 5_000
_MAX_ROUNDS = 6
_INTEGER = re.compile(r"[+-]?[0-9]{1,30}\Z")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,3})?\Z")
_LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?\Z")
STARS = "*"


@dataclass(frozen=True, slots=True)
class Posted:
    """What a page said. ``secrets`` are the texts of Secret fields that were filled in, by field name."""

    values: dict[str, Any]
    secrets: dict[str, str] = field(default_factory=dict)


class Pairs:
    """The fields of a posted form, in order; a name may be there several times."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._by_name: dict[str, list[str]] = {}
        for name, value in pairs:
            self._by_name.setdefault(name, []).append(value.replace("\r\n", "\n").replace("\0", ""))

    def all(self, name: str) -> list[str]:
        """Every value of a name."""
        return self._by_name.get(name, [])

    def last(self, name: str) -> str | None:
        """The last value of a name: a checked box comes after its hidden companion."""
        found = self._by_name.get(name)
        return found[-1] if found else None

    def under(self, prefix: str) -> dict[str, str]:
        """The last value of each name that begins with a prefix, by the rest of the name."""
        found = {name: values[-1] for name, values in self._by_name.items() if name.startswith(prefix)}
        return {name.removeprefix(prefix): value for name, value in found.items()}


def parse_body(body: bytes) -> Pairs:
    """Read ``application/x-www-form-urlencoded``. Raises Invalid (``form.too_large``, ``form.unreadable``)."""
    if len(body) > MAX_BODY:
        raise Invalid(
            "form.too_large",
            f"The form holds {len(body) / 1_000_000:.1f} MB; at most {MAX_BODY // 1_000_000} MB are taken.",
            hint="Shorten the longest text, or put it into the repository afterwards.",
        )
    try:
        text = body.decode("utf-8")
        return Pairs(parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_PAIRS, strict_parsing=False))
    except ValueError as error:
        raise Invalid(
            "form.unreadable", "The posted form cannot be read.", hint="Reload the page and try again."
        ) from error


def parse(
    page: Schema,
    pairs: Pairs,
    values: Mapping[str, Any],
    operation: str = "",
    *,
    keep_secrets: bool = True,
    custom: Mapping[str, str] | None = None,
) -> Posted:
    """The values of a page after a post. ``operation`` adds, removes or moves a row: ``add:rows``, ``up:rows/2``.

    Without ``keep_secrets`` what is typed into Secret fields is not read: the form is not finished yet.
    """
    shown = set(pairs.all("_shown"))
    current = dict(values)
    secrets: dict[str, str] = {}
    for _ in range(_MAX_ROUNDS):
        # What one answer shows or hides is only known after it was read.
        schema, filled = settle(page, current)
        reader = _Reader(page, pairs, shown, keep_secrets, custom or {})
        found = {**values, **reader.all(schema, filled, ())}
        secrets = reader.secrets
        if found == current:
            break
        current = found
    return Posted(_operate(current, operation), secrets)


class _Reader:
    def __init__(
        self, root: Schema, pairs: Pairs, shown: set[str], keep_secrets: bool, custom: Mapping[str, str]
    ) -> None:
        self._root = root
        self._pairs = pairs
        self._shown = shown
        self._keep_secrets = keep_secrets
        self._custom = custom
        self.secrets: dict[str, str] = {}

    def all(self, schema: Schema, values: Mapping[str, Any], path: tuple[str | int, ...]) -> dict[str, Any]:
        return {
            name: self.one(rule, values.get(name), (*path, name))
            for name, rule in schema["properties"].items()
            if name in values or join((*path, name)) in self._shown
        }

    def one(self, rule: Schema, before: Any, path: tuple[str | int, ...]) -> Any:  # noqa: PLR0911  one per widget
        name = join(path)
        fixed = ui(rule, "disabled") or ui(rule, "readonly") or rule.get("readOnly")
        if name not in self._shown or fixed:
            return before
        widget, _ = widget_of(rule, self._custom)
        if widget == "group":
            schema, filled = settle_inner(rule, before if isinstance(before, dict) else {}, self._root)
            return self.all(schema, filled, path)
        if widget == "rows":
            return self._rows(rule, before, path)
        if widget == "secret":
            return self._secret(rule, before, name)
        if widget in ("file", "files"):
            return self._files(widget, before, name)
        if widget == "repo":
            return self._repo(rule, name)
        return self._value(widget, rule, name)

    def _rows(self, rule: Schema, before: Any, path: tuple[str | int, ...]) -> list[Any]:
        old = before if isinstance(before, list) else []
        rows: list[Any] = []
        while len(rows) < MAX_ROWS and join((*path, len(rows))) in self._shown:
            index = len(rows)
            inner, place = item_rule(rule, index, self._root), (*path, index)
            known = old[index] if index < len(old) else None
            if widget_of(inner, self._custom)[0] == "group":
                schema, filled = settle_inner(inner, known if isinstance(known, dict) else {}, self._root)
                rows.append(self.all(schema, filled, place))
            else:
                rows.append(self.one(inner, known, place))
        return rows

    def _secret(self, rule: Schema, before: Any, name: str) -> Any:
        text = self._pairs.last(name)
        if not text or not self._keep_secrets:
            return before
        self.secrets[name] = text
        least = rule.get("minLength")
        return STARS * max(8, least if isinstance(least, int) else 0)

    def _files(self, widget: str, before: Any, name: str) -> Any:
        """Files stay until others come, or until they are taken away."""
        found = [text for text in self._pairs.all(name) if text.startswith("data:")]
        kept = [] if self._pairs.last(f"{name}.clear") == "1" else before
        if widget == "file":
            return found[-1] if found else kept or None
        return list(dict.fromkeys([*(kept if isinstance(kept, list) else []), *found]))[:MAX_ROWS]

    def _repo(self, rule: Schema, name: str) -> Any:
        asked = as_schema(as_schema(rule.get("ui:options")).get("requestUserCredentials")).get("secretsKey")
        token = self._pairs.last(f"{name}.token")
        if token and isinstance(asked, str) and self._keep_secrets:
            self.secrets[asked] = token
        host = (self._pairs.last(f"{name}.host") or "").strip()
        parts = {part: (self._pairs.last(f"{name}.{part}") or "").strip() for part in host_parts(host)}
        if not any(parts.values()):
            return None
        owner, repo = parts.pop("owner", ""), parts.pop("repo", "")
        return str(RepoUrl(host, owner, repo, tuple(sorted(parts.items()))))

    def _value(self, widget: str, rule: Schema, name: str) -> Any:  # noqa: PLR0911  one per widget
        pairs = self._pairs
        if widget == "switch":
            return pairs.last(name) == "true"
        if widget in ("checkboxes", "many"):
            posted = set(pairs.all(name))
            known = [value for value, _ in choices(as_schema(rule.get("items"))) if encode(value) in posted]
            return known + sorted(posted - {encode(value) for value in known})
        if widget in ("tags", "labels"):
            texts = [part.strip() for text in pairs.all(name) for part in text.replace("\n", ",").split(",")]
            return list(dict.fromkeys(text for text in texts if text))
        if widget == "entities":
            texts = [part.strip() for text in pairs.all(name) for part in text.split(",")]
            refs = [self._ref(rule, text) for text in texts if text]
            return list(dict.fromkeys(refs))
        text = pairs.last(name)
        if text is None or not text.strip():
            return ui(rule, "emptyValue")
        if widget in ("entity", "owned", "groups"):
            return self._ref(rule, text.strip())
        return _typed(widget, rule, text)

    def _ref(self, rule: Schema, text: str) -> str:
        """A full reference where the text is short for one; the text as it is where it cannot be one."""
        settings = as_schema(rule.get("ui:options"))
        kind = settings.get("defaultKind") or default_kind(rule)
        namespace = settings.get("defaultNamespace")
        try:
            return str(parse_ref(text, default_kind=kind, default_namespace=namespace or None))
        except Invalid:
            return text


def default_kind(rule: Schema) -> str | None:
    """The kind that a short reference means in this field."""
    kinds = allowed_kinds(rule)
    if rule.get("ui:field") in ("OwnerPicker", "MyGroupsPicker"):
        return next((kind for kind in kinds if kind.lower() == "group"), kinds[0] if kinds else "Group")
    return kinds[0] if len(kinds) == 1 else None


def _typed(widget: str, rule: Schema, text: str) -> Any:  # noqa: PLR0911  one per type
    """The text as the type that the schema asks for; unchanged when it is not one, so that the check can say so."""
    for value, _ in choices(rule):
        if encode(value) == text:
            return value
    kind = kind_of(rule)
    if widget in ("json", "hidden") and kind in ("object", "array"):
        return _json(text)
    trimmed = text.strip()
    if widget == "datetime-local" and _LOCAL.match(trimmed):
        return f"{trimmed}:00Z" if len(trimmed) == 16 else f"{trimmed}Z"
    if widget == "time" and rule.get("format") == "time" and len(trimmed) == 5:
        return f"{trimmed}:00"
    if kind == "integer":
        return int(trimmed) if _INTEGER.match(trimmed) else text
    if kind == "number":
        return _number(trimmed) if _NUMBER.match(trimmed) else text
    if kind == "boolean":
        return {"true": True, "false": False}.get(trimmed, text)
    return text if widget in ("textarea", "password") else trimmed


def _number(text: str) -> int | float:
    return int(text) if _INTEGER.match(text) else float(text)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _operate(values: dict[str, Any], operation: str) -> dict[str, Any]:
    """Do what a button of a growing list asks for; anything that does not fit does nothing."""
    verb, _, name = operation.partition(":")
    path = split(name)
    if verb == "add":
        return dict(_changed(values, path, lambda rows: [*rows, None] if len(rows) < MAX_ROWS else rows))
    if verb not in ("remove", "up", "down") or not path[-1].isdecimal():
        return values
    index = int(path[-1])

    def change(rows: list[Any]) -> list[Any]:
        if index >= len(rows):
            return rows
        rest = rows[:index] + rows[index + 1 :]
        if verb != "remove":
            rest.insert(max(0, index - 1) if verb == "up" else index + 1, rows[index])
        return rest

    return dict(_changed(values, path[:-1], change))


def _changed(node: Any, path: list[str], change: Any) -> Any:
    if not path:
        return change(node if isinstance(node, list) else [])
    if isinstance(node, dict) and (path[0] in node or len(path) == 1):
        return {**node, path[0]: _changed(node.get(path[0]), path[1:], change)}
    if isinstance(node, list) and path[0].isdecimal() and int(path[0]) < len(node):
        index = int(path[0])
        return [*node[:index], _changed(node[index], path[1:], change), *node[index + 1 :]]
    return node
