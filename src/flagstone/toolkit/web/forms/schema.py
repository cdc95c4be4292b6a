"""Which schema applies now: conditions and dependencies resolved for the values so far, defaults filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flagstone.toolkit.web.forms.compiled import is_valid

Schema = dict[str, Any]

_MAX_DEPTH = 12
_MAX_ROUNDS = 8
_COMBINED = frozenset(
    {"allOf", "anyOf", "oneOf", "if", "then", "else", "dependencies", "dependentSchemas", "dependentRequired", "$ref"}
)


def as_schema(value: object) -> Schema:
    """An object schema; anything else becomes one without rules."""
    return value if isinstance(value, dict) else {}


def kind_of(schema: Mapping[str, Any]) -> str:
    """The type of a value: the first of several, else what the other keywords tell."""
    named = schema.get("type")
    if isinstance(named, list):
        named = next((item for item in named if item != "null"), None)
    if isinstance(named, str):
        return named
    if "properties" in schema:
        return "object"
    if "items" in schema:
        return "array"
    sample = next(iter(schema["enum"]), None) if isinstance(schema.get("enum"), list) else schema.get("const")
    sample = schema.get("default") if sample is None else sample
    kinds = {bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
    return kinds.get(type(sample), "string")


def resolve(schema: Schema, values: Mapping[str, Any], root: Schema | None = None, depth: int = 0) -> Schema:
    """The object schema that applies to ``values``: properties and requirements, without any combinator."""
    root = root if root is not None else schema
    schema = dereference(schema, root)
    found: Schema = {key: value for key, value in schema.items() if key not in _COMBINED}
    found["properties"] = {
        name: dereference(as_schema(item), root) for name, item in as_schema(schema.get("properties")).items()
    }
    found["required"] = [name for name in _list(schema.get("required")) if isinstance(name, str)]
    if depth >= _MAX_DEPTH:
        return found

    def add(part: object) -> None:
        _merge(found, resolve(as_schema(part), values, root, depth + 1))

    for part in _list(schema.get("allOf")):
        add(part)
    if "if" in schema:
        matches = is_valid(schema["if"], _without_none(values))
        add(schema.get("then" if matches else "else"))
    for key in ("oneOf", "anyOf"):
        branches = [dereference(as_schema(item), root) for item in _list(schema.get(key))]
        if branches:
            add(_branch(branches, values, found))
    for name, wanted in _dependencies(schema):
        if values.get(name) is not None:
            _add_dependency(found, name, wanted, values, root, depth)
    return found


def dereference(schema: Schema, root: Schema) -> Schema:
    """Follow ``#/…`` references inside the page; siblings of ``$ref`` are kept."""
    for _ in range(_MAX_DEPTH):
        target = schema.get("$ref")
        if not isinstance(target, str) or not target.startswith("#/"):
            break
        place: Any = root
        for part in target[2:].split("/"):
            place = place.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(place, dict) else None
        schema = {**as_schema(place), **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def _dependencies(schema: Schema) -> list[tuple[str, Any]]:
    keys = ("dependencies", "dependentSchemas", "dependentRequired")
    return [pair for key in keys for pair in as_schema(schema.get(key)).items()]


def _add_dependency(found: Schema, name: str, wanted: Any, values: Mapping[str, Any], root: Schema, depth: int) -> None:
    if isinstance(wanted, list):
        found["required"] += [item for item in wanted if isinstance(item, str) and item not in found["required"]]
        return
    wanted = dereference(as_schema(wanted), root)
    branches = [dereference(as_schema(item), root) for item in _list(wanted.get("oneOf"))]
    _merge(found, resolve({key: item for key, item in wanted.items() if key != "oneOf"}, values, root, depth + 1))
    for branch in branches:
        rule = as_schema(branch.get("properties")).get(name, {})
        if is_valid(rule, values.get(name)):
            _merge(found, resolve(branch, values, root, depth + 1))
            return


def _branch(branches: Sequence[Schema], values: Mapping[str, Any], found: Schema) -> Schema:
    """The alternative that fits best: none of its fixed values contradicts, and most of its properties are there."""
    best, best_score = branches[0], -1
    for branch in branches:
        rules = as_schema(branch.get("properties"))
        fixed = {name for name, rule in rules.items() if _is_fixed(rule)}
        if any(values.get(name) is not None and not is_valid(rules[name], values[name]) for name in fixed):
            continue
        told = sum(values.get(name) is not None for name in fixed)
        score = 100 * told + sum(values.get(name) is not None for name in rules if name not in found["properties"])
        if score > best_score:
            best, best_score = branch, score
    return best


def _is_fixed(rule: object) -> bool:
    return isinstance(rule, dict) and ("const" in rule or "enum" in rule)


def _merge(found: Schema, part: Schema) -> None:
    for name, rule in part["properties"].items():
        known = found["properties"].get(name)
        if known is None:
            found["properties"][name] = rule
        elif not (_is_fixed(rule) and set(rule) <= {"const", "enum", "type", "title"}):
            # A rule that only fixes a known property chose the branch; it must not take the other choices away.
            found["properties"][name] = {**known, **rule}
    found["required"] += [name for name in part["required"] if name not in found["required"]]
    for key, value in part.items():
        if key not in ("properties", "required", "type"):
            found.setdefault(key, value)


def settle(page: Schema, values: Mapping[str, Any]) -> tuple[Schema, dict[str, Any]]:
    """The page as it applies now, and the values with the defaults of what it shows."""
    current = dict(values)
    schema = resolve(page, current)
    for _ in range(_MAX_ROUNDS):
        filled = {**current, **_defaults(schema, current)}
        schema = resolve(page, filled)
        if filled == current:
            break
        current = filled
    return schema, current


def _defaults(schema: Schema, values: Mapping[str, Any]) -> dict[str, Any]:
    added: dict[str, Any] = {}
    for name, rule in schema["properties"].items():
        if name not in values:
            if "default" in rule:
                added[name] = rule["default"]
            elif "const" in rule:
                added[name] = rule["const"]
    return added


def ordered(schema: Schema) -> list[str]:
    """Names of the properties in the order of ``ui:order``; ``*`` stands for all that are not named."""
    names = list(schema["properties"])
    wanted = _list(schema.get("ui:order"))
    named = [name for name in wanted if name in names]
    rest = [name for name in names if name not in named]
    if "*" not in wanted:
        return named + rest
    at = wanted.index("*")
    before = [name for name in wanted[:at] if name in names]
    return before + rest + [name for name in named if name not in before]


def answers(pages: Sequence[Schema], values: Mapping[str, Any]) -> dict[str, Any]:
    """What leaves the form: everything that applies, with defaults, without what was emptied."""
    found: dict[str, Any] = {}
    everything = dict(values)
    for page in pages:
        schema, filled = settle(page, everything)
        everything = filled
        for name, rule in schema["properties"].items():
            value = clean(rule, filled.get(name), page, required=name in schema["required"])
            if value is not None:
                found[name] = value
    return found


def clean(rule: Schema, value: Any, root: Schema, *, required: bool = False) -> Any:
    """One value as it leaves the form; None when there is nothing."""
    kind = kind_of(rule)
    if kind == "object" and rule.get("properties") is not None and (value is None or isinstance(value, dict)):
        inner, filled = _settle_inner(rule, value or {}, root)
        kept = {
            name: item
            for name, part in inner["properties"].items()
            if (item := clean(part, filled.get(name), root, required=name in inner["required"])) is not None
        }
        return kept if kept or required else None
    if kind == "array" and isinstance(value, list):
        # Nothing is left out here: what is wrong must keep its place. An empty entry is a fault.
        return [clean(item_rule(rule, index, root), item, root, required=True) for index, item in enumerate(value)]
    return value


def _settle_inner(rule: Schema, value: Mapping[str, Any], root: Schema) -> tuple[Schema, dict[str, Any]]:
    return settle({**rule, **{key: root[key] for key in ("definitions", "$defs") if key in root}}, value)


settle_inner = _settle_inner
"""The same as :func:`settle` for an object inside a page, which may refer to the page's definitions."""


def item_rule(rule: Schema, index: int, root: Schema) -> Schema:
    """The schema of one item of an array; a list of schemas is a tuple."""
    items = rule.get("items")
    if isinstance(items, list):
        items = items[index] if index < len(items) else rule.get("additionalItems")
    return dereference(as_schema(items), root)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return value
