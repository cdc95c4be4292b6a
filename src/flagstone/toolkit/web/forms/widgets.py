"""Which control asks for a value, and what may be chosen in it. Pure tables of the schema and its ``ui:`` keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flagstone.toolkit.web.forms.schema import Schema, as_schema, is_group, kind_of

FIELDS: dict[str, str] = {
    "EntityPicker": "entity",
    "OwnerPicker": "entity",
    "OwnedEntityPicker": "owned",
    "MyGroupsPicker": "groups",
    "MultiEntityPicker": "entities",
    "EntityNamePicker": "text",
    "EntityTagsPicker": "labels",
    "RepoUrlPicker": "repo",
    "RepoBranchPicker": "search",
    "RepoOwnerPicker": "search",
    "Secret": "secret",
}
"""The field extensions that are built in, and their controls."""
ENTITY_FIELDS = ("EntityPicker", "OwnerPicker", "OwnedEntityPicker", "MyGroupsPicker", "MultiEntityPicker")
PLUGIN_WIDGETS = ("text", "textarea", "select", "search", "labels")
"""Controls that a field of a plugin may ask for; ``search`` and ``labels`` (several) ask the server for choices."""
_BY_NAME = {
    "textarea": "textarea",
    "password": "password",
    "hidden": "hidden",
    "range": "range",
    "updown": "number",
    "date": "date",
    "alt-date": "date",
    "datetime": "datetime-local",
    "date-time": "datetime-local",
    "alt-datetime": "datetime-local",
    "time": "time",
    "email": "email",
    "uri": "url",
    "url": "url",
    "color": "color",
    "file": "file",
    "text": "text",
}
_BY_FORMAT = {
    "date": "date",
    "date-time": "datetime-local",
    "time": "time",
    "email": "email",
    "idn-email": "email",
    "uri": "url",
    "data-url": "file",
    "color": "color",
    "password": "password",
    "textarea": "textarea",
}
KNOWN_WIDGETS = frozenset({*_BY_NAME, "checkbox", "checkboxes", "radio", "select", "switch", "files", "hidden"})
"""Values of ``ui:widget`` that are drawn as they say."""
_MANY = 15


def ui(rule: Mapping[str, Any], key: str, default: Any = None) -> Any:
    """A ``ui:`` key, which may also stand in ``ui:options``."""
    found = rule.get(f"ui:{key}")
    if found is None:
        found = as_schema(rule.get("ui:options")).get(key)
    return default if found is None else found


def switched_off(rule: Mapping[str, Any], features: frozenset[str]) -> bool:
    """Whether a feature flag that is not on hides a field or page."""
    flag = as_schema(rule.get("ui:backstage")).get("featureFlag") or rule.get("backstage:featureFlag")
    return isinstance(flag, str) and flag not in features


def widget_of(rule: Schema, custom: Mapping[str, str] | None = None) -> tuple[str, str]:
    """Which control draws a value, and a note when it is not the one that was asked for."""
    wanted = rule.get("ui:field")
    if isinstance(wanted, str):
        known = FIELDS.get(wanted) or (custom or {}).get(wanted)
        if known:
            return known, ""
        return _plain(rule), f"This field asks for {wanted}, which is not installed here. Fill in its value as text."
    return _plain(rule), ""


def _plain(rule: Schema) -> str:  # noqa: PLR0911  one per type
    kind, wanted = kind_of(rule), str(ui(rule, "widget") or "")
    if wanted == "hidden":
        return "hidden"
    if kind == "object":
        return "group" if is_group(rule) else "json"
    if kind == "array":
        return _list_widget(rule, wanted)
    if choices(rule):
        return _choice_widget(rule, wanted)
    if kind == "boolean":
        return {"radio": "radio", "select": "select"}.get(wanted, "switch")
    if kind == "null":
        return "hidden"
    if kind in ("integer", "number"):
        return "range" if wanted == "range" else "number"
    return _BY_NAME.get(wanted) or _BY_FORMAT.get(str(rule.get("format")), "text")


def _choice_widget(rule: Schema, wanted: str) -> str:
    if rule.get("ui:enumDescriptions") or ui(rule, "display") == "cards":
        return "cards"
    return "radio" if wanted == "radio" else "select"


def _list_widget(rule: Schema, wanted: str) -> str:
    items = rule.get("items")
    inner = as_schema(items)
    if not items:
        return "json"
    if isinstance(items, list):
        return "rows"
    if inner.get("format") == "data-url" or wanted == "files":
        return "files"
    if choices(inner) and (wanted in ("checkboxes", "select") or rule.get("uniqueItems")):
        return "many" if wanted == "select" or (not wanted and len(choices(inner)) > _MANY) else "checkboxes"
    plain = kind_of(inner) == "string" and not (
        choices(inner) or inner.get("ui:field") or ui(inner, "widget") or inner.get("format") or inner.get("title")
    )
    known = rule.get("default")
    if plain and not any("," in str(item) for item in (known if isinstance(known, list) else [])):
        return "tags"
    return "rows"


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def choices(rule: Schema) -> list[tuple[Any, str]]:
    """(value, label) of everything that may be chosen; empty when the value is free."""
    names = rule.get("enumNames") or ui(rule, "enumNames")
    if isinstance(rule.get("enum"), list):
        values = rule["enum"]
        if isinstance(names, dict):
            return [(value, _words(names.get(str(value), value))) for value in values]
        labels = names if isinstance(names, list) and len(names) == len(values) else values
        return [(value, _words(label)) for value, label in zip(values, labels, strict=True)]
    for key in ("oneOf", "anyOf"):
        found = [item for item in _listed(rule.get(key)) if not (isinstance(item, dict) and item.get("type") == "null")]
        if found and all(isinstance(item, dict) and "const" in item for item in found):
            return [(item["const"], _words(item.get("title", item["const"]))) for item in found]
    if kind_of(rule) == "boolean" and ui(rule, "widget") in ("radio", "select"):
        labels = names if isinstance(names, list) and len(names) == 2 else ("Yes", "No")
        return [(True, str(labels[0])), (False, str(labels[1]))]
    return []


def _words(label: Any) -> str:
    if isinstance(label, bool):
        return "Yes" if label else "No"
    return "None" if label is None else str(label)


def encode(value: Any) -> str:
    """A choice as the text that a control posts."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), sort_keys=True)


def catalog_filters(rule: Schema) -> list[dict[str, Any]]:
    """``catalogFilter`` as a list of objects, any of which may match; older ``allowedKinds`` become one."""
    settings = as_schema(rule.get("ui:options"))
    wanted = settings.get("catalogFilter")
    found = [item for item in (wanted if isinstance(wanted, list) else [wanted]) if isinstance(item, dict) and item]
    if found:
        return found
    kinds = [kind for kind in _listed(settings.get("allowedKinds")) if isinstance(kind, str)]
    if not kinds and rule.get("ui:field") == "OwnerPicker":
        kinds = ["Group", "User"]
    if not kinds and rule.get("ui:field") == "MyGroupsPicker":
        kinds = ["Group"]
    return [{"kind": kinds}] if kinds else []


def allowed_kinds(rule: Schema) -> list[str]:
    """Kinds that a picker offers; empty for all."""
    found: list[str] = []
    for item in catalog_filters(rule):
        kinds = item.get("kind")
        found += [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if isinstance(kind, str)]
    return list(dict.fromkeys(found))


def filter_terms(rule: Schema) -> tuple[tuple[tuple[str, str | None], ...], ...]:
    """``catalogFilter`` in the terms of a catalog query: any of the lists, each of whose terms must hold.

    A value that is a list means any of them; ``{exists: true}`` means that the key is there.
    """
    found: list[tuple[tuple[str, str | None], ...]] = []
    for item in catalog_filters(rule):
        terms: list[tuple[str, str | None]] = []
        for key, value in item.items():
            if isinstance(value, dict):
                terms += [(key, None)] if value.get("exists") is True else []
            else:
                terms += [(key, _text(part)) for part in (value if isinstance(value, list) else [value])]
        if terms:
            found.append(tuple(terms))
    return tuple(found)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
