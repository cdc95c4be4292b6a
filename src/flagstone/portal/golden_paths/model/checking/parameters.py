"""The form: is each page a schema that can be drawn, checked and filled in?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from flagstone.portal.golden_paths.model.checking.findings import Findings, Place, similar
from flagstone.toolkit.web.forms import pattern_fault, schema_fault, ui
from flagstone.toolkit.web.forms.compiled import is_valid
from flagstone.toolkit.web.forms.formats import KNOWN as KNOWN_FORMATS
from flagstone.toolkit.web.forms.schema import dereference, kind_of
from flagstone.toolkit.web.forms.widgets import FIELDS, KNOWN_WIDGETS

_MAX_NODES = 20_000
_BELOW_ONE = ("if", "then", "else", "items", "additionalItems", "additionalProperties", "not", "contains")
_BELOW_MANY = ("oneOf", "anyOf", "allOf", "items")
_BELOW_NAMED = ("properties", "definitions", "$defs", "dependencies", "dependentSchemas", "patternProperties")
_COMBINED = ("oneOf", "anyOf", "allOf", "if", "then", "else", "dependencies", "dependentSchemas")
_TEMPLATED = ("${{", "{%")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form asks for: names of values and of secrets. ``open``: it takes names of its own, too."""

    names: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    open: bool = False


def check_parameters(parameters: Any, fields: Collection[str], found: Findings) -> Asked:
    """Check all pages."""
    if parameters is None:
        return Asked()
    pages = parameters if isinstance(parameters, list) else [parameters]
    names: dict[str, int] = {}
    secrets: set[str] = set()
    free = False
    for index, page in enumerate(pages):
        path: Place = ("spec", "parameters", index) if isinstance(parameters, list) else ("spec", "parameters")
        if not isinstance(page, dict):
            found.error("bad_page", path, "a page of the form must be an object")
            continue
        checker = _Page(page, fields, found)
        checker.check(path)
        secrets |= checker.secrets
        free = free or page.get("additionalProperties") not in (None, False)
        for name in _names(page, page):
            if names.setdefault(name, index) != index:
                found.warning("asked_twice", path, f"{name!r} is asked for on two pages and has one value")
    return Asked(frozenset(names), frozenset(secrets), free)


def _names(part: Any, root: dict[str, Any], depth: int = 0) -> set[str]:
    """Every name that a page may ask for, whatever is answered."""
    if not isinstance(part, dict) or depth > 12:
        return set()
    part = dereference(part, root)
    rules = part.get("properties")
    found = {str(name) for name in rules} if isinstance(rules, dict) else set()
    for key in _COMBINED:
        below = part.get(key)
        if isinstance(below, dict):
            inner = list(below.values()) if key in ("dependencies", "dependentSchemas") else [below]
        else:
            inner = below if isinstance(below, list) else []
        for item in inner:
            found |= _names(item, root, depth + 1)
    return found


class _Page:
    """One page."""

    def __init__(self, page: dict[str, Any], fields: Collection[str], found: Findings) -> None:
        self._page = page
        self._fields = fields
        self._found = found
        self._nodes = 0
        self.secrets: set[str] = set()

    def check(self, path: Place) -> None:
        """Check everything in it."""
        fault = schema_fault(self._page)
        if fault is not None:
            self._found.error("bad_schema", (*path, *fault[0]), f"this is no valid JSON Schema: {fault[1]}")
            return
        if self._page.get("backstage:permissions"):
            self._permissions(path)
        known = _names(self._page, self._page)
        for name in self._page.get("required") or ():
            if name not in known:
                hint = similar(str(name), known) or "A page that requires it can never be finished."
                self._found.error(
                    "required_unknown", (*path, "required"), f"{name!r} is required but not asked for", hint
                )
        self._walk(self._page, path, "")

    def _permissions(self, path: Place) -> None:
        self._found.warning(
            "permissions",
            (*path, "backstage:permissions"),
            "this page is shown to everyone who may start the golden path",
            "Hiding parts by tag is not done here; what may be done is decided by each action's permission.",
        )

    def _walk(self, rule: Any, path: Place, name: str) -> None:
        if not isinstance(rule, dict):
            return
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            if self._nodes == _MAX_NODES + 1:
                self._found.error("too_large", path, f"the form has more than {_MAX_NODES:,} rules")
            return
        self._rule(rule, path, name)
        for key in _BELOW_ONE:
            self._walk(rule.get(key), (*path, key), name if key != "items" else "")
        for key in _BELOW_MANY:
            below = rule.get(key)
            for index, item in enumerate(below if isinstance(below, list) else ()):
                self._walk(item, (*path, key, index), name)
        for key in _BELOW_NAMED:
            below = rule.get(key)
            for inner, item in below.items() if isinstance(below, dict) else ():
                self._walk(item, (*path, key, inner), str(inner))

    def _rule(self, rule: dict[str, Any], path: Place, name: str) -> None:
        found = self._found
        reference = rule.get("$ref")
        if isinstance(reference, str) and not self._resolves(reference):
            found.error(
                "bad_reference",
                (*path, "$ref"),
                f"{reference!r:.100} leads nowhere in this page",
                "References go to #/definitions/... of the same page; nothing is read from elsewhere.",
            )
        pattern = rule.get("pattern")
        if isinstance(pattern, str) and (fault := pattern_fault(pattern)):
            found.error("bad_pattern", (*path, "pattern"), f"this pattern cannot be checked: {fault}")
        if isinstance(rule.get("patternProperties"), dict):
            found.error(
                "pattern_properties",
                (*path, "patternProperties"),
                "patternProperties cannot be filled in",
                "Use additionalProperties and a pattern for the values.",
            )
        form = rule.get("format")
        if isinstance(form, str) and form not in KNOWN_FORMATS:
            found.warning(
                "unknown_format", (*path, "format"), f"the format {form!r} is not checked", similar(form, KNOWN_FORMATS)
            )
        self._look(rule, path, name)
        self._choices(rule, path)
        self._default(rule, path)

    def _resolves(self, reference: str) -> bool:
        place: Any = self._page
        if reference == "#":
            return True
        if not reference.startswith("#/"):
            return False
        for part in reference[2:].split("/"):
            place = place.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(place, dict) else None
        return isinstance(place, dict)

    def _look(self, rule: dict[str, Any], path: Place, name: str) -> None:
        found, field, widget = self._found, rule.get("ui:field"), ui(rule, "widget")
        if isinstance(field, str) and field not in FIELDS and field not in self._fields:
            found.warning(
                "unknown_field",
                (*path, "ui:field"),
                f"the form field {field} is not installed here; its value is asked for as {kind_of(rule)}",
                similar(field, (*FIELDS, *self._fields)) or "A plugin may bring it: flagstone_register_form_fields.",
            )
        if isinstance(widget, str) and widget not in KNOWN_WIDGETS:
            found.warning("unknown_widget", path, f"there is no widget {widget!r}", similar(widget, KNOWN_WIDGETS))
        if field == "Secret":
            self.secrets.add(name)
            if "default" in rule:
                found.error("secret_default", (*path, "default"), "a secret must not have a default: all could read it")
        elif widget == "password":
            found.warning(
                "password",
                path,
                "this value is kept with the run and shown to who may see it",
                "Use ui:field: Secret and secrets.<name> in the input of a step.",
            )
        options = rule.get("ui:options")
        asked = options.get("requestUserCredentials") if isinstance(options, dict) else None
        if isinstance(asked, dict) and isinstance(asked.get("secretsKey"), str):
            self.secrets.add(asked["secretsKey"])
        if rule.get("backstage:permissions"):
            self._permissions(path)

    def _choices(self, rule: dict[str, Any], path: Place) -> None:
        values, names = rule.get("enum"), rule.get("enumNames") or rule.get("ui:enumNames")
        if isinstance(values, list) and isinstance(names, list) and len(values) != len(names):
            self._found.warning(
                "enum_names", path, f"there are {len(values)} choices but {len(names)} names, so no name is shown"
            )

    def _default(self, rule: dict[str, Any], path: Place) -> None:
        if "default" not in rule:
            return
        if isinstance(rule["default"], str) and any(mark in rule["default"] for mark in _TEMPLATED):
            self._found.error(
                "templated_default",
                (*path, "default"),
                "expressions are not evaluated in the form",
                "Compute the value in the input of a step.",
            )
            return
        whole: dict[str, Any] = dict(rule)
        whole |= {key: self._page[key] for key in ("definitions", "$defs") if key in self._page}
        if kind_of(rule) != "object" and not is_valid(whole, rule["default"]):
            self._found.warning("bad_default", (*path, "default"), "the default does not fit its own rule")


def is_templated(value: Any) -> bool:
    """Whether anything in a value is only known when it is rendered."""
    if isinstance(value, str):
        return any(mark in value for mark in (*_TEMPLATED, "{#"))
    if isinstance(value, Mapping):
        return any(is_templated(item) or is_templated(key) for key, item in value.items())
    return isinstance(value, list) and any(is_templated(item) for item in value)
