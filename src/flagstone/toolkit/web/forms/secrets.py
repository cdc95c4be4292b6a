"""What is wrong with secrets, told without ever saying one: neither its text nor its length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import ValidationError

from flagstone.toolkit.web.forms.checks import Fault
from flagstone.toolkit.web.forms.compiled import TOO_MUCH, faults, metered
from flagstone.toolkit.web.forms.schema import as_schema

_WORDS = {
    "enum": "This is none of the values that are allowed.",
    "const": "This is not the value that is expected.",
    "not": "This value is not allowed.",
    TOO_MUCH: "Checking this took too long.",
}
_WITH_RULE = {
    "type": "This has to be of the type {}; secrets are texts.",
    "pattern": "This does not fit the pattern {}.",
    "format": "This is not a valid {}.",
    "minLength": "This has to have at least {} characters.",
    "maxLength": "This may have at most {} characters.",
}


def secret_faults(schema: Any, secrets: Mapping[str, str], *, complete: bool = True) -> list[Fault]:
    """Everything that is wrong with the secrets of a run, one fault per name; none without a schema.

    ``complete``: those that are missing are said, too.
    """
    if not isinstance(schema, Mapping):
        return []
    rules = as_schema(as_schema(dict(schema)).get("properties"))
    found: dict[str, Fault] = {}
    with metered():
        for error in faults(dict(schema), dict(secrets)):
            for name, message, missing in _told(error, rules, secrets):
                if complete or not missing:
                    label = str(as_schema(rules.get(name)).get("title") or name)
                    found.setdefault(name, Fault(name, label, message, missing))
    return list(found.values())


def _told(error: ValidationError, rules: Mapping[str, Any], secrets: Mapping[str, str]) -> list[tuple[str, str, bool]]:
    keyword = str(error.validator)
    wanted: Any = error.validator_value
    if error.absolute_path:
        rule = str(wanted)[:200] if not isinstance(wanted, list) else " or ".join(map(str, wanted))
        text = _WITH_RULE[keyword].format(rule) if keyword in _WITH_RULE else _WORDS.get(keyword)
        return [(str(error.absolute_path[0]), text or f"This does not fit the rule {keyword} of the template.", False)]
    if keyword == "required" and isinstance(wanted, list):
        return [(str(name), "This secret is missing.", True) for name in wanted if name not in secrets]
    if keyword == "additionalProperties":
        return [
            (name[:100], "The template takes no secret of this name.", False) for name in secrets if name not in rules
        ]
    missing = keyword in ("anyOf", "oneOf", "allOf", "minProperties", "dependencies", "dependentRequired", "if")
    return [("", f"The secrets together do not fit the rule {keyword} of the template.", missing)]
