"""What is wrong with the answers, in words for people, at the field where it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema import ValidationError

from flagstone.kernel.errors import Invalid
from flagstone.kernel.refs import parse_ref
from flagstone.toolkit.web.forms.compiled import TOO_MUCH, faults, metered
from flagstone.toolkit.web.forms.names import join
from flagstone.toolkit.web.forms.repos import parse_repo_url
from flagstone.toolkit.web.forms.schema import (
    EXTRA,
    Schema,
    answers,
    as_schema,
    is_group,
    is_helper,
    item_rule,
    kind_of,
    settle,
    settle_inner,
)
from flagstone.toolkit.web.forms.widgets import ui

_NAME = re.compile(r"(?=.{1,63}\Z)([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_TAG = re.compile(r"(?=.{1,63}\Z)[a-z0-9+#]+(-[a-z0-9+#]+)*")
_REF_PART = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]*")
_MAX_PLACE = 14
_TYPES = {
    "integer": "Fill in a whole number.",
    "number": "Fill in a number.",
    "boolean": "Choose yes or no.",
    "object": "This is not in the expected form (JSON).",
    "array": "This is not in the expected form (JSON).",
    "string": "Fill in a text.",
}
_FORMATS = {
    "email": "Fill in an e-mail address, like name@example.com.",
    "uri": "Fill in a full address, like https://example.com.",
    "date": "Fill in a date, like 2026-05-31.",
    "date-time": "Fill in date and time, like 2026-05-31T14:00:00Z.",
    "time": "Fill in a time, like 14:00:00Z.",
    "ipv4": "Fill in an IPv4 address, like 192.0.2.1.",
    "hostname": "Fill in the name of a host, like build.example.com.",
    "uuid": "Fill in a UUID.",
    "data-url": "Choose a file of at most 256 kB.",
    "color": "Choose a colour, like #1f6feb.",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. ``name`` is the field's, "" for the page; ``missing``: just not there yet."""

    name: str
    label: str
    message: str
    missing: bool = False


def check(page: Schema, values: Mapping[str, Any]) -> list[Fault]:
    """Everything that is wrong with the values of one page, one fault per field, in the order of the fields."""
    with metered():
        return _checked(page, values)


def _checked(page: Schema, values: Mapping[str, Any]) -> list[Fault]:
    schema, filled = settle(page, values)
    found = answers([page], filled)
    shown = {name: rule for name, rule in schema["properties"].items() if not is_helper(name)}
    whole = {"type": "object", "properties": shown, "required": schema["required"]}
    whole |= {key: page[key] for key in ("definitions", "$defs", "additionalProperties") if key in page}
    by_name: dict[str, Fault] = {}
    for error in faults(whole, found):
        for fault in _from_error(error, schema, filled):
            by_name.setdefault(fault.name, fault)
    for fault in _by_field(schema, filled, page, ()):
        by_name.setdefault(fault.name, fault)
    if not by_name:
        # The combinators once more, as written: they can ask for more than the fields show.
        for error in faults(page, found):
            path = list(error.absolute_path)
            rule, name = _rule_at(schema, path), _place_of(path, filled)
            by_name.setdefault(name, Fault(name, _label(rule, name or "This page"), _message(error, rule, schema)))
    order = list(schema["properties"])
    return sorted(by_name.values(), key=lambda item: _place(order, item.name))


def _place(order: list[str], name: str) -> int:
    top = name.split("/", 1)[0].replace("~1", "/").replace("~0", "~")
    return order.index(top) if top in order else len(order)


def _from_error(error: ValidationError, schema: Schema, values: Mapping[str, Any]) -> list[Fault]:
    path = list(error.absolute_path)
    name, rule = _place_of(path, values), _rule_at(schema, path)
    if error.validator == "required":
        present = error.instance if isinstance(error.instance, dict) else {}
        wanted: Any = error.validator_value
        missing = [key for key in wanted if key not in present]
        above = rule if path else schema
        return [_missing([*path, key], schema, above) for key in missing if f"'{key}'" in error.message]
    above = _rule_at(schema, path[:-1]) if len(path) > 1 else schema
    if error.validator == "items" or not path:
        return [Fault(name, _label(rule, "This page"), _message(error, rule, above))]
    return [Fault(name, _label(rule, str(path[-1])), _message(error, rule, above, str(path[-1])))]


def _place_of(path: list[Any], values: Any) -> str:
    """The name of the field at a place in the answers; names that somebody added stand in rows."""
    node, found = values, list[Any]()
    for part in path:
        rows = node.get(EXTRA) if isinstance(node, dict) and part not in node else None
        if isinstance(rows, list):
            at = next((at for at, row in enumerate(rows) if isinstance(row, dict) and row.get("key") == part), None)
            if at is not None:
                found += [EXTRA, at, "value"]
                node = rows[at].get("value")
                continue
        found.append(part)
        if isinstance(node, dict):
            node = node.get(part)
        else:
            node = node[part] if isinstance(node, list) and isinstance(part, int) and part < len(node) else None
    return join(found)


def _missing(path: list[Any], schema: Schema, above: Schema) -> Fault:
    rule = _rule_at(schema, path)
    chosen = "enum" in rule or "oneOf" in rule or kind_of(rule) in ("boolean", "array")
    own = _own_text(rule, "required") or _of_parent(above, "required", str(path[-1]))
    text = own or ("Choose one." if chosen else "Fill in this field.")
    return Fault(join(path), _label(rule, str(path[-1])), text, missing=True)


def _rule_at(schema: Schema, path: list[Any]) -> Schema:
    rule: Any = schema
    for part in path:
        if isinstance(part, int):
            items = rule.get("items") if isinstance(rule, dict) else None
            rule = items[part] if isinstance(items, list) and part < len(items) else items
        else:
            inner = as_schema(rule)
            rule = as_schema(inner.get("properties")).get(part) or inner.get("additionalProperties")
    return as_schema(rule)


def _label(rule: Schema, fallback: str) -> str:
    return str(ui(rule, "title") or rule.get("title") or fallback)


def _own_text(rule: Schema, keyword: str) -> str | None:
    """What the template says instead, in the form of ajv-errors."""
    written = rule.get("errorMessage")
    if isinstance(written, dict):
        found = written.get(keyword) or (written.get("_") if keyword != "required" else None)
        return str(found) if isinstance(found, str) else None
    if isinstance(written, str):
        return written
    return str(rule["ui:error"]) if isinstance(rule.get("ui:error"), str) else None


def _of_parent(above: Schema, keyword: str, name: str) -> str | None:
    """The same, written at the object around the field."""
    written = as_schema(above.get("errorMessage")).get(keyword)
    if isinstance(written, str):
        return written
    found = as_schema(written).get(name)
    return found if isinstance(found, str) else None


def _message(error: ValidationError, rule: Schema, above: Schema, name: str = "") -> str:
    keyword = str(error.validator)
    own = _own_text(rule, keyword) or (_of_parent(above, "properties", name) if name else None)
    if own:
        return own
    build = _MESSAGES.get(keyword)
    return build(error, rule) if build else f"This does not fit: {error.message[:200]}"


def _pattern(error: ValidationError, rule: Schema) -> str:
    hint = rule.get("description") or ui(rule, "description") or ui(rule, "help")
    return f"This does not fit. {hint}" if hint else f"This does not fit the pattern {error.validator_value}"


def _type(error: ValidationError, _rule: Schema) -> str:
    wanted = error.validator_value
    first = next((item for item in wanted if item != "null"), "string") if isinstance(wanted, list) else wanted
    return _TYPES.get(str(first), "This has the wrong type.")


def _length(error: ValidationError) -> int:
    return len(str(error.instance))


def _count(number: Any, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


_MESSAGES: dict[str, Callable[[ValidationError, Schema], str]] = {
    "pattern": _pattern,
    "type": _type,
    "enum": lambda _error, _rule: "Choose one of the options.",
    TOO_MUCH: lambda _error, _rule: "Checking this took too long. Shorten the longest text.",
    "additionalProperties": lambda error, _rule: (
        f"There are names here that the form does not know: {error.message[:200]}"
    ),
    "minProperties": lambda error, _rule: f"At least {_count(error.validator_value, 'entry', 'entries')}.",
    "maxProperties": lambda error, _rule: f"At most {_count(error.validator_value, 'entry', 'entries')}.",
    "oneOf": lambda _error, _rule: "This fits none of the forms that are allowed.",
    "anyOf": lambda _error, _rule: "This fits none of the forms that are allowed.",
    "const": lambda error, _rule: f"This has to be {error.validator_value!r}.",
    "minLength": lambda error, _rule: (
        "Fill in this field."
        if not error.instance
        else f"At least {_count(error.validator_value, 'character', 'characters')}; there are {_length(error)}."
    ),
    "maxLength": lambda error, _rule: (
        f"At most {_count(error.validator_value, 'character', 'characters')}; there are {_length(error)}."
    ),
    "minimum": lambda error, _rule: f"At least {error.validator_value}.",
    "maximum": lambda error, _rule: f"At most {error.validator_value}.",
    "exclusiveMinimum": lambda error, _rule: f"More than {error.validator_value}.",
    "exclusiveMaximum": lambda error, _rule: f"Less than {error.validator_value}.",
    "multipleOf": lambda error, _rule: f"A multiple of {error.validator_value}.",
    "minItems": lambda error, _rule: f"At least {_count(error.validator_value, 'entry', 'entries')}.",
    "maxItems": lambda error, _rule: f"At most {_count(error.validator_value, 'entry', 'entries')}.",
    "uniqueItems": lambda _error, _rule: "No entry may be there twice.",
    "format": lambda error, _rule: _FORMATS.get(
        str(error.validator_value), f"This is not a valid {error.validator_value}."
    ),
}


def _by_field(schema: Schema, values: Mapping[str, Any], root: Schema, path: tuple[Any, ...]) -> Iterator[Fault]:
    """What the special fields ask for beside their schema, those in groups and rows, too."""
    for name, rule in schema["properties"].items():
        value, place = values.get(name), (*path, name)
        if value is None:
            continue
        if name == EXTRA:
            yield from _keys(value, schema, place)
            continue
        message = _special(str(rule.get("ui:field", "")), value, as_schema(rule.get("ui:options")))
        if message:
            yield Fault(join(place), _label(rule, name), message)
        yield from _inside(rule, value, root, place)


def _inside(rule: Schema, value: Any, root: Schema, place: tuple[Any, ...]) -> Iterator[Fault]:
    if len(place) > _MAX_PLACE:
        return
    if isinstance(value, dict) and kind_of(rule) == "object" and is_group(rule):
        inner, filled = settle_inner(rule, value, root)
        yield from _by_field(inner, filled, root, place)
    elif isinstance(value, list) and kind_of(rule) == "array":
        for index, item in enumerate(value):
            below = item_rule(rule, index, root)
            message = _special(str(below.get("ui:field", "")), item, as_schema(below.get("ui:options")))
            if message and item is not None:
                yield Fault(join((*place, index)), _label(below, f"Entry {index + 1}"), message)
            yield from _inside(below, item, root, (*place, index))


def _keys(rows: Any, schema: Schema, place: tuple[Any, ...]) -> Iterator[Fault]:
    """Names that somebody adds: each once, and none that the form has already."""
    seen: set[str] = set()
    for at, row in enumerate(rows if isinstance(rows, list) else []):
        key = as_schema(row).get("key")
        name = join((*place, at, "key"))
        if not isinstance(key, str) or not key:
            yield Fault(name, "Name", "Fill in a name, or remove the entry.", missing=True)
        elif key in seen or key in schema["properties"]:
            yield Fault(name, "Name", f"{key} is there already.")
        seen.add(str(key))


def _special(field: str, value: Any, settings: Schema) -> str | None:
    if field == "RepoUrlPicker" and isinstance(value, str):
        return parse_repo_url(value).fault(settings)
    if field == "EntityNamePicker" and isinstance(value, str) and not _NAME.fullmatch(value):
        return "Up to 63 letters, digits, '-', '_' and '.'; a letter or digit first and last."
    if field == "EntityTagsPicker" and isinstance(value, list):
        bad = next((item for item in value if not _TAG.fullmatch(str(item))), None)
        return (
            f"{bad!s:.60} is no tag: write lower-case letters, digits, '+' and '#', with single hyphens."
            if bad
            else None
        )
    if field in ("EntityPicker", "OwnerPicker", "OwnedEntityPicker", "MyGroupsPicker"):
        return _reference(value)
    if field == "MultiEntityPicker" and isinstance(value, list):
        return next((text for item in value if (text := _reference(item))), None)
    return None


def _reference(value: Any) -> str | None:
    try:
        ref = parse_ref(str(value))
    except Invalid:
        return "Choose one from the list, or write kind:namespace/name."
    if len(str(ref)) > 250 or any(not _REF_PART.fullmatch(part) for part in (ref.kind, ref.namespace, ref.name)):
        return "Choose one from the list, or write kind:namespace/name."
    return None
