"""Validators of schemas that users wrote: patterns in linear time, a broken schema says nothing instead of failing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from jsonschema import Draft7Validator, FormatChecker, ValidationError
from jsonschema.exceptions import SchemaError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from flagstone.toolkit.templating.faults import LimitError, TemplateError
from flagstone.toolkit.templating.limits import Budget, Limits
from flagstone.toolkit.templating.patterns import Pattern

_MAX_BACKTRACKED = 200
"""Characters of a text that Python's own engine may match, for patterns that the linear one does not know."""
_LIMITS = Limits(fuel=2_000_000, cpu_seconds=0.5)


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found in the text. A pattern that nobody can read matches everything."""
    try:
        budget = Budget(_LIMITS)
        return Pattern(pattern, "u", budget).search(text, 0, budget) is not None
    except LimitError:
        return False
    except TemplateError:
        pass  # look-around and back-references: only the other engine knows them
    try:
        return re.search(pattern, text[:_MAX_BACKTRACKED]) is not None
    except re.error:
        return True


def _pattern(_validator: Any, pattern: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and isinstance(pattern, str) and not matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


_Validator: Any = extend(Draft7Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
_FORMATS = FormatChecker()


@lru_cache(maxsize=512)
def _compile(text: str) -> Any:
    schema = json.loads(text)
    try:
        _Validator.check_schema(schema)
    except SchemaError:
        return None
    # An empty registry: a reference to the outside must never be fetched.
    return _Validator(schema, format_checker=_FORMATS, registry=Registry())


def validator(schema: Any) -> Any:
    """A validator, or None when the schema itself is wrong (the catalog reports that to the template's author)."""
    return _compile(json.dumps(schema, sort_keys=True, default=str))


def is_valid(schema: Any, value: Any) -> bool:
    """Whether a value fits a schema; yes for a schema that is wrong."""
    return not list(faults(schema, value))


def faults(schema: Any, value: Any) -> list[ValidationError]:
    """Everything that is wrong with a value, outermost first. Nothing for a schema that is wrong itself."""
    found = validator(schema)
    if found is None:
        return []
    try:
        return sorted(found.iter_errors(value), key=lambda error: [str(part) for part in error.absolute_path])
    except (Unresolvable, RecursionError):
        return []
