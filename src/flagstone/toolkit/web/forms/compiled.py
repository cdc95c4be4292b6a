"""Validators of schemas that users wrote: metered, patterns in linear time, formats told without libraries.

A broken schema says nothing here instead of failing; the template checker tells its author.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
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
from flagstone.toolkit.web.forms.formats import fits

_LIMITS = Limits(fuel=2_000_000, cpu_seconds=0.5)
_KEYWORD_COST = 10
_NO_FORMATS = FormatChecker(())
TOO_MUCH = "limit"
"""The keyword of the fault that says: checking this took too long."""
_budget: ContextVar[Budget | None] = ContextVar("flagstone_forms_budget", default=None)


@contextmanager
def metered() -> Iterator[Budget]:
    """One budget for everything that is checked inside; an outer one is gone on with."""
    known = _budget.get()
    if known is not None:
        yield known
        return
    token = _budget.set(Budget(_LIMITS))
    try:
        yield _budget.get() or Budget(_LIMITS)
    finally:
        _budget.reset(token)


def pattern_fault(pattern: str) -> str | None:
    """Why a pattern cannot be used; None when it can."""
    try:
        Pattern(pattern, "u", Budget(_LIMITS))
    except TemplateError as fault:
        return fault.message
    return None


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found in the text. A pattern that nobody can read matches everything.

    Raises LimitError when it takes too long.
    """
    with metered() as budget:
        try:
            return Pattern(pattern, "u", budget).search(text, 0, budget) is not None
        except LimitError:
            raise
        except TemplateError:
            return True


def _pattern(_validator: Any, pattern: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and isinstance(pattern, str) and not matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _format(_validator: Any, name: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and isinstance(name, str) and not fits(name, instance):
        yield ValidationError(f"{instance!r:.200} is not a {name!r}")


def _multiple(_validator: Any, step: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    """By decimal fractions, as people write them: 0.3 is a multiple of 0.1."""
    if isinstance(instance, bool) or not isinstance(instance, int | float) or not isinstance(step, int | float):
        return
    if step > 0 and abs(instance / step - round(instance / step)) > 1e-9 * max(1.0, abs(instance / step)):
        yield ValidationError(f"{instance!r} is not a multiple of {step}")


def _charged(keyword: Callable[..., Any]) -> Callable[..., Any]:
    def charged(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        with metered() as budget:
            budget.spend(_KEYWORD_COST + (len(instance) if isinstance(instance, list | dict) else 0))
        yield from keyword(validator, value, instance, schema) or ()

    return charged


def _unique(_validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if wanted and isinstance(instance, list):
        texts = [json.dumps(item, sort_keys=True, default=str) for item in instance]
        if len(set(texts)) < len(texts):
            yield ValidationError(f"{instance!r:.200} has non-unique elements")


_KEYWORDS = {
    **Draft7Validator.VALIDATORS,
    "pattern": _pattern,
    "format": _format,
    "multipleOf": _multiple,
    "uniqueItems": _unique,
}
_KEYWORDS.pop("patternProperties", None)
# A person chose one of the alternatives; that another one would fit, too, is no fault of theirs.
_KEYWORDS["oneOf"] = _KEYWORDS["anyOf"]
_Validator: Any = extend(  # type: ignore[no-untyped-call]
    Draft7Validator, {name: _charged(call) for name, call in _KEYWORDS.items()}
)


def schema_fault(schema: Any) -> tuple[list[str | int], str] | None:
    """(path, message) of why a schema is none; patterns are not looked at (see :func:`pattern_fault`)."""
    try:
        Draft7Validator.check_schema(schema, format_checker=_NO_FORMATS)
    except SchemaError as error:
        return list(error.absolute_path), error.message[:300]
    except RecursionError:
        return [], "it is nested too deeply"
    return None


@lru_cache(maxsize=512)
def _compile(text: str) -> Any:
    schema = json.loads(text)
    if schema_fault(schema) is not None:
        return None
    # An empty registry: a reference to the outside must never be fetched.
    return _Validator(schema, registry=Registry())


def validator(schema: Any) -> Any:
    """A validator, or None when the schema itself is wrong (the catalog reports that to the template's author)."""
    return _compile(json.dumps(schema, sort_keys=True, default=str))


def is_valid(schema: Any, value: Any) -> bool:
    """Whether a value fits a schema; yes for a schema that is wrong."""
    return not faults(schema, value)


def faults(schema: Any, value: Any) -> list[ValidationError]:
    """Everything that is wrong with a value, outermost first. Nothing for a schema that is wrong itself."""
    found = validator(schema)
    if found is None:
        return []
    with metered():
        try:
            return sorted(found.iter_errors(value), key=lambda error: [str(part) for part in error.absolute_path])
        except LimitError:
            return [ValidationError("takes too long", validator=TOO_MUCH)]
        except (Unresolvable, RecursionError):
            return []
