"""What is wrong with the answers, in words for people, at the field where it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema import ValidationError

from flagstone.kernel.errors import Invalid
from flagstone.kernel.refs import parse_ref
from flagstone.toolkit.web.forms.compiled import faults, matches
from flagstone.toolkit.web.forms.names import join
from flagstone.toolkit.web.forms.repos import parse_repo_url
from flagstone.toolkit.web.forms.schema import Schema, answers, as_schema, kind_of, settle

_ENTITY_NAME = r"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$"
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
    "regex": "Fill in a regular expression.",
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
    schema, filled = settle(page, values)
    found = answers([page], filled)
    whole = {"type": "object", "properties": schema["properties"], "required": schema["required"]}
    whole |= {key: page[key] for key in ("definitions", "$defs") if key in page}
    by_name: dict[str, Fault] = {}
    for error in faults(whole, found):
        for fault in _from_error(error, schema):
            by_name.setdefault(fault.name, fault)
    for fault in _by_field(schema, found, ()):
        by_name.setdefault(fault.name, fault)
    if not by_name:
        # The combinators once more, as written: they can ask for more than the fields show.
        for error in faults(page, found):
            name = join(error.absolute_path)
            rule = _rule_at(schema, list(error.absolute_path))
            by_name.setdefault(name, Fault(name, _label(rule, name or "This page"), _message(error, rule)))
    order = list(schema["properties"])
    return sorted(by_name.values(), key=lambda item: _place(order, item.name))


def _place(order: list[str], name: str) -> int:
    top = name.split("/", 1)[0].replace("~1", "/").replace("~0", "~")
    return order.index(top) if top in order else len(order)


def _from_error(error: ValidationError, schema: Schema) -> list[Fault]:
    path = list(error.absolute_path)
    if error.validator == "required":
        present = error.instance if isinstance(error.instance, dict) else {}
        wanted: Any = error.validator_value
        missing = [name for name in wanted if name not in present]
        return [_missing([*path, name], schema) for name in missing if f"'{name}'" in error.message]
    rule = _rule_at(schema, path)
    if error.validator == "items" or not path:
        return [Fault(join(path), _label(rule, "This page"), _message(error, rule))]
    return [Fault(join(path), _label(rule, str(path[-1])), _message(error, rule))]


def _missing(path: list[Any], schema: Schema) -> Fault:
    rule = _rule_at(schema, path)
    chosen = "enum" in rule or "oneOf" in rule or kind_of(rule) in ("boolean", "array")
    text = "Choose one." if chosen else "Fill in this field."
    return Fault(join(path), _label(rule, str(path[-1])), text, missing=True)


def _rule_at(schema: Schema, path: list[Any]) -> Schema:
    rule: Any = schema
    for part in path:
        if isinstance(part, int):
            items = rule.get("items") if isinstance(rule, dict) else None
            rule = items[part] if isinstance(items, list) and part < len(items) else items
        else:
            rule = as_schema(as_schema(rule).get("properties")).get(part)
    return as_schema(rule)


def _label(rule: Schema, fallback: str) -> str:
    return str(rule.get("ui:title") or rule.get("title") or fallback)


def _own_text(rule: Schema, keyword: str) -> str | None:
    written = rule.get("errorMessage")
    if isinstance(written, dict) and isinstance(written.get(keyword), str):
        return str(written[keyword])
    if isinstance(written, str):
        return written
    return str(rule["ui:error"]) if isinstance(rule.get("ui:error"), str) else None


def _message(error: ValidationError, rule: Schema) -> str:
    keyword = str(error.validator)
    own = _own_text(rule, keyword)
    if own:
        return own
    build = _MESSAGES.get(keyword)
    return build(error, rule) if build else f"This does not fit: {error.message[:200]}"


def _pattern(error: ValidationError, rule: Schema) -> str:
    hint = rule.get("description") or rule.get("ui:description") or rule.get("ui:help")
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


def _by_field(schema: Schema, found: Mapping[str, Any], path: tuple[Any, ...]) -> list[Fault]:
    """What the special fields ask for beside their schema."""
    wrong: list[Fault] = []
    for name, rule in schema["properties"].items():
        value = found.get(name)
        if value is None:
            continue
        message = _special(str(rule.get("ui:field", "")), value)
        if message:
            wrong.append(Fault(join([*path, name]), _label(rule, name), message))
    return wrong


def _special(field: str, value: Any) -> str | None:
    if field == "RepoUrlPicker" and isinstance(value, str):
        return parse_repo_url(value).fault()
    if (
        field == "EntityNamePicker"
        and isinstance(value, str)
        and not (len(value) <= 63 and matches(_ENTITY_NAME, value))
    ):
        return "Up to 63 letters, digits, '-', '_' and '.'; a letter or digit first and last."
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
    if len(str(ref)) > 250 or any(
        not matches(r"^[A-Za-z0-9][-A-Za-z0-9_.]*$", part) for part in (ref.kind, ref.namespace, ref.name)
    ):
        return "Choose one from the list, or write kind:namespace/name."
    return None
