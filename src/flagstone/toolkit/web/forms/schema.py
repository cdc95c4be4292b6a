"""Which schema applies now: conditions and dependencies resolved for the values so far, defaults filled in.

Where a schema leaves a choice that no field of it makes (``oneOf`` of unlike objects), or takes names of its own
(``additionalProperties``), fields are added that ask for it. Their names begin or end with :data:`CHOICE` or are
:data:`EXTRA`; they never leave the form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flagstone.kernel.errors import Invalid
from flagstone.toolkit.web.forms.compiled import is_valid, metered

Schema = dict[str, Any]

CHOICE = ":choice"
"""Name (or end of the name) of the field that chooses among alternatives."""
EXTRA = ":more"
"""Name of the list of (key, value) rows of an object that takes names of its own."""
_MAX_DEPTH = 12
_MAX_ROUNDS = 8
_MAX_WORK = 5_000
_COMBINED = frozenset(
    {"allOf", "anyOf", "oneOf", "if", "then", "else", "dependencies", "dependentSchemas", "dependentRequired", "$ref"}
)
_SHAPING = _COMBINED | {"properties", "additionalProperties"}


class _Meter:
    """Counts what is resolved: a small schema can ask for endless work by references."""

    def __init__(self) -> None:
        self._left = _MAX_WORK

    def spend(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Invalid(
                "form.too_complex",
                "The form has too many nested alternatives to be worked out.",
                hint="The owner of the template has to use fewer references and combinators.",
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
    if "properties" in schema or isinstance(schema.get("additionalProperties"), dict):
        return "object"
    if "items" in schema:
        return "array"
    for key in ("oneOf", "anyOf", "allOf"):
        parts = [as_schema(item) for item in _list(schema.get(key))]
        if parts and all("properties" in part or part.get("type") == "object" for part in parts):
            return "object"
    sample = next(iter(schema["enum"]), None) if isinstance(schema.get("enum"), list) else schema.get("const")
    sample = schema.get("default") if sample is None else sample
    kinds = {bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
    return kinds.get(type(sample), "string")


def is_group(rule: Mapping[str, Any]) -> bool:
    """Whether an object has fields of its own; otherwise it is written as JSON."""
    if any(as_schema(rule.get("properties"))) or any(rule.get(key) for key in _COMBINED - {"$ref"}):
        return True
    return takes_names(rule)


def takes_names(rule: Mapping[str, Any]) -> bool:
    """Whether an object takes names beside its properties, and says so."""
    more = rule.get("additionalProperties")
    return more is True or isinstance(more, dict)


def is_helper(name: str) -> bool:
    """Whether a field was added here and never leaves the form."""
    return name == EXTRA or name.endswith(CHOICE)


def resolve(
    schema: Schema,
    values: Mapping[str, Any],
    root: Schema | None = None,
    depth: int = 0,
    meter: _Meter | None = None,
) -> Schema:
    """The object schema that applies to ``values``: properties and requirements, without any combinator.

    Raises Invalid (``form.too_complex``).
    """
    root, meter = root if root is not None else schema, meter or _Meter()
    meter.spend()
    schema = dereference(schema, root)
    found = _plain(schema, values, root)
    if depth >= _MAX_DEPTH:
        return found

    def add(part: object) -> None:
        _merge(found, resolve(as_schema(part), values, root, depth + 1, meter))

    for part in _list(schema.get("allOf")):
        add(part)
    if "if" in schema:
        holds = is_valid({**as_schema(schema["if"]), **_definitions(root)}, _without_none(values))
        add(schema.get("then" if holds else "else"))
    for key in ("oneOf", "anyOf"):
        branches = [dereference(as_schema(item), root) for item in _list(schema.get(key))]
        if any(branch.keys() & _SHAPING for branch in branches):
            add(_branch(branches, values, found, key))
    for name, wanted in _dependencies(schema):
        if values.get(name) is not None:
            _add_dependency(found, name, wanted, values, root, depth, meter)
    if takes_names(schema) and depth == 0:
        found["properties"].setdefault(EXTRA, _extra_rule(schema))
    return found


def _plain(schema: Schema, values: Mapping[str, Any], root: Schema) -> Schema:
    """The schema without its combinators."""
    found: Schema = {key: value for key, value in schema.items() if key not in _COMBINED}
    found["properties"] = {}
    for name, item in as_schema(schema.get("properties")).items():
        _add_property(found["properties"], name, dereference(as_schema(item), root), values, root)
    found["required"] = [name for name in _list(schema.get("required")) if isinstance(name, str)]
    return found


def _definitions(root: Schema) -> Schema:
    return {key: root[key] for key in ("definitions", "$defs") if key in root}


def _add_property(found: Schema, name: str, rule: Schema, values: Mapping[str, Any], root: Schema) -> None:
    """One property; where its value may be of several shapes, a field that chooses goes before it."""
    branches = alternatives(rule, root)
    if not branches or kind_of(rule) == "object":
        found[name] = rule
        return
    own = {key: value for key, value in rule.items() if key not in ("oneOf", "anyOf")}
    if len(branches) == 1:
        found[name] = {**branches[0], **own}
        return
    chosen = values.get(name + CHOICE)
    value = values.get(name)
    if not (isinstance(chosen, int) and 0 <= chosen < len(branches)):
        chosen = next((at for at, item in enumerate(branches) if value is not None and is_valid(item, value)), 0)
    found[name + CHOICE] = _choice_rule(branches, chosen, str(rule.get("ui:title") or rule.get("title") or name))
    title = own.get("title") or name
    found[name] = {**own, **branches[chosen], "title": title}


def alternatives(rule: Schema, root: Schema) -> list[Schema]:
    """The shapes that a value may have, null left out; empty when there is only one or when they are mere choices."""
    for key in ("oneOf", "anyOf"):
        branches = [dereference(as_schema(item), root) for item in _list(rule.get(key))]
        branches = [item for item in branches if item.get("type") != "null"]
        if branches and not all("const" in item for item in branches) and any(_shapes(item) for item in branches):
            return branches
    return []


def _shapes(branch: Schema) -> bool:
    return bool(branch.keys() & {"type", "properties", "enum", "items", "oneOf", "anyOf", "allOf", "format"})


def _choice_rule(branches: Sequence[Schema], chosen: int, title: str) -> Schema:
    names = [str(item.get("title") or f"Option {number}") for number, item in enumerate(branches, 1)]
    return {
        "type": "integer",
        "title": f"{title}: which kind" if title else "Which kind",
        "enum": list(range(len(branches))),
        "enumNames": names,
        "default": chosen,
    }


def _extra_rule(schema: Schema) -> Schema:
    value = as_schema(schema.get("additionalProperties")) or {"type": "string"}
    return {
        "type": "array",
        "title": "More entries" if as_schema(schema.get("properties")) else "Entries",
        "ui:options": {"orderable": False},
        "items": {
            "type": "object",
            "required": ["key"],
            "properties": {
                "key": {"type": "string", "title": "Name"},
                "value": {"title": "Value", **value},
            },
        },
    }


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


def _add_dependency(
    found: Schema, name: str, wanted: Any, values: Mapping[str, Any], root: Schema, depth: int, meter: _Meter
) -> None:
    if isinstance(wanted, list):
        found["required"] += [item for item in wanted if isinstance(item, str) and item not in found["required"]]
        return
    wanted = dereference(as_schema(wanted), root)
    branches = [dereference(as_schema(item), root) for item in _list(wanted.get("oneOf"))]
    rest = {key: item for key, item in wanted.items() if key != "oneOf"}
    _merge(found, resolve(rest, values, root, depth + 1, meter))
    for branch in branches:
        rule = as_schema(as_schema(branch.get("properties")).get(name))
        if is_valid({**rule, **_definitions(root)}, values.get(name)):
            _merge(found, resolve(branch, values, root, depth + 1, meter))
            return


def _branch(branches: Sequence[Schema], values: Mapping[str, Any], found: Schema, key: str) -> Schema:
    """The alternative that fits best: none of its fixed values contradicts, and most of its properties are there.

    When no field that is shown tells them apart, one is added that does.
    """
    fixed = [
        {name for name, rule in as_schema(branch.get("properties")).items() if _is_fixed(rule)} for branch in branches
    ]
    for name in set.intersection(*fixed) - set(found["properties"]):
        found["properties"][name] = _telling_rule(name, branches)
        found["required"].append(name)
    told_apart = any(name in found["properties"] for names in fixed for name in names)
    helper = CHOICE if key == "oneOf" else f"{key}{CHOICE}"
    chosen = values.get(helper)
    at = chosen if isinstance(chosen, int) and not told_apart and 0 <= chosen < len(branches) else None
    if at is None:
        at = _best(branches, fixed, values, found)
    if not told_apart and len(branches) > 1:
        found["properties"][helper] = _choice_rule(branches, at, "")
    return branches[at]


def _telling_rule(name: str, branches: Sequence[Schema]) -> Schema:
    """A property that has a fixed value in every alternative, as one that chooses among them."""
    rules = [as_schema(branch["properties"][name]) for branch in branches]
    pairs: list[tuple[Any, str]] = []
    for rule, branch in zip(rules, branches, strict=True):
        values = _list(rule.get("enum")) or [rule.get("const")]
        label = branch.get("title") if len(values) == 1 else None
        pairs += [(value, str(label or value)) for value in values if value not in [known for known, _ in pairs]]
    found = {key: value for key, value in rules[0].items() if key not in ("const", "enumNames")}
    return {"default": pairs[0][0], **found, "enum": [value for value, _ in pairs], "enumNames": [n for _, n in pairs]}


def _best(branches: Sequence[Schema], fixed: Sequence[set[str]], values: Mapping[str, Any], found: Schema) -> int:
    best, best_score = 0, -1
    for at, branch in enumerate(branches):
        rules = as_schema(branch.get("properties"))
        if any(values.get(name) is not None and not is_valid(rules[name], values[name]) for name in fixed[at]):
            continue
        told = sum(values.get(name) is not None for name in fixed[at])
        score = 100 * told + sum(values.get(name) is not None for name in rules if name not in found["properties"])
        if score > best_score:
            best, best_score = at, score
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
    """The page as it applies now, and the values with the defaults of what it shows.

    What was filled in where it is not shown any more stays in the values, but decides nothing.
    """
    conditional = _conditional_names(page)
    current = _with_extra(page, dict(values))
    with metered():
        schema = resolve(page, _seen(current, conditional, ()))
        for _ in range(_MAX_ROUNDS):
            filled = {**current, **_defaults(schema, current)}
            again = resolve(page, _seen(filled, conditional, schema["properties"]))
            if filled == current and again == schema:
                break
            current, schema = filled, again
    return schema, current


def _seen(values: Mapping[str, Any], conditional: set[str], shown: Mapping[str, Any] | tuple[()]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in conditional or name in shown}


def _conditional_names(page: Schema) -> set[str]:
    """Names that only some answers bring; those that are always there left out."""
    always = set(as_schema(page.get("properties")))
    for key in ("oneOf", "anyOf"):
        branches = [set(as_schema(as_schema(item).get("properties"))) for item in _list(page.get(key))]
        always |= set[str]().union(*branches)  # what is there tells which of them is meant
    found: set[str] = set()
    stack: list[tuple[Any, int]] = [(page.get(key), 0) for key in _COMBINED if key in page]
    while stack and len(found) < _MAX_WORK:
        part, depth = stack.pop()
        if depth > _MAX_DEPTH:
            continue
        if isinstance(part, list):
            stack += [(item, depth + 1) for item in part]
        elif isinstance(part, dict):
            found |= set(as_schema(part.get("properties")))
            stack += [(item, depth + 1) for key, item in part.items() if key not in ("properties", "if")]
    return found - always


def _with_extra(page: Schema, values: dict[str, Any]) -> dict[str, Any]:
    """Values of names that the object takes beside its properties, as rows."""
    if not takes_names(page) or EXTRA in values:
        return values
    known = set(as_schema(page.get("properties"))) | _conditional_names(page)
    rows = [{"key": key, "value": value} for key, value in values.items() if key not in known and not is_helper(key)]
    return {**values, EXTRA: rows} if rows else values


def _defaults(schema: Schema, values: Mapping[str, Any]) -> dict[str, Any]:
    added: dict[str, Any] = {}
    whole = as_schema(schema.get("default"))
    for name, rule in schema["properties"].items():
        if name not in values:
            if name in whole:
                added[name] = whole[name]
            elif "default" in rule:
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
            value = None if is_helper(name) else clean(rule, filled.get(name), page, name in schema["required"])
            if value is not None:
                found[name] = value
        found |= _extra(schema, filled, page)
    return found


def clean(rule: Schema, value: Any, root: Schema, required: bool = False, depth: int = 0) -> Any:
    """One value as it leaves the form; None when there is nothing."""
    kind = kind_of(rule)
    if value is None and depth > _MAX_DEPTH:
        return None  # a schema that contains itself
    if kind == "object" and is_group(rule) and (value is None or isinstance(value, dict)):
        inner, filled = settle_inner(rule, value or {}, root)
        kept = {
            name: item
            for name, part in inner["properties"].items()
            if not is_helper(name)
            and (item := clean(part, filled.get(name), root, name in inner["required"], depth + 1)) is not None
        }
        kept |= _extra(inner, filled, root)
        return kept if kept or required else None
    if kind == "array" and isinstance(value, list):
        # Nothing is left out here: what is wrong must keep its place. An empty entry is a fault.
        return [clean(item_rule(rule, index, root), item, root, True, depth + 1) for index, item in enumerate(value)]
    return value


def _extra(schema: Schema, values: Mapping[str, Any], root: Schema) -> dict[str, Any]:
    """The rows of names that somebody added, as members."""
    rule = schema["properties"].get(EXTRA)
    if not isinstance(rule, dict) or not takes_names(schema):
        return {}
    value_rule = as_schema(as_schema(as_schema(rule.get("items")).get("properties")).get("value"))
    found: dict[str, Any] = {}
    for row in _list(values.get(EXTRA)):
        key = as_schema(row).get("key")
        if isinstance(key, str) and key and key not in schema["properties"] and not is_helper(key):
            found.setdefault(key, clean(value_rule, row.get("value"), root, required=True))
    return {key: "" if value is None and kind_of(value_rule) == "string" else value for key, value in found.items()}


def settle_inner(rule: Schema, value: Mapping[str, Any], root: Schema) -> tuple[Schema, dict[str, Any]]:
    """The same as :func:`settle` for an object inside a page, which may refer to the page's definitions."""
    return settle({**rule, **_definitions(root)}, value)


def item_rule(rule: Schema, index: int, root: Schema) -> Schema:
    """The schema of one item of an array; a list of schemas is a tuple."""
    items = rule.get("items")
    if isinstance(items, list):
        items = items[index] if index < len(items) else rule.get("additionalItems")
    found = dereference(as_schema(items), root)
    branches = [] if kind_of(found) == "object" else alternatives(found, root)
    return {**found, **branches[0]} if branches else found


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return value
