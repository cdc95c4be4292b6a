"""What goes wrong inside the engine, before it is told to the outside as an ``Invalid``."""

from __future__ import annotations

from flagstone.kernel.errors import Invalid, Problem

_LIMIT_HINT = "Make the loop, the text or the nesting smaller; templates are for filling in values, not for computing."


class TemplateError(Exception):
    """A template that can not be read or evaluated. ``offset`` is the place in the source, once known."""

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class LimitError(TemplateError):
    """A template that costs too much; never swallowed by lenient rendering."""

    def __init__(self, message: str, limit: str, offset: int | None = None) -> None:
        super().__init__(message, offset)
        self.limit = limit


def position(source: str, offset: int | None) -> tuple[int, int]:
    """Line and column, both from 1."""
    at = min(offset or 0, len(source))
    return source.count("\n", 0, at) + 1, at - source.rfind("\n", 0, at)


def to_error(
    fault: TemplateError,
    source: str,
    *,
    code: str = "templating.expression",
    file: str | None = None,
    field: str | None = None,
) -> Invalid:
    """The error for the outside: message with the place, one problem with file, line and field."""
    line, column = position(source, fault.offset)
    where = f" in {file}" if file else ""
    at_field = f" in {field}" if field else ""
    limited = isinstance(fault, LimitError)
    hint = _LIMIT_HINT if limited else None
    message = f"Template error{where}{at_field} at line {line}, column {column}: {fault.message}"
    if isinstance(fault, LimitError):
        message += f" (limit: {fault.limit})"
    problem = Problem(fault.message, file=file, line=line, field=field)
    return Invalid("templating.limit" if limited else code, message, hint=hint, problems=[problem])
