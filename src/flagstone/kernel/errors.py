"""The one error tree. Edges map the family to HTTP problem+json, an exit code or a flash message.

    FlagstoneError
     ├─ NotFound      404  exit 4   the thing does not exist, or the caller may not know that it does
     ├─ Invalid       422  exit 2   the input is wrong; ``problems`` lists every fault at once
     ├─ Unauthenticated 401 exit 3  nobody, or not who they say they are
     ├─ Denied        403  exit 3   known, but not allowed
     ├─ Conflict      409  exit 5   true about something else at the same moment
     ├─ Unavailable   503  exit 6   a part this needs is not there now
     ├─ Temporary     503  exit 6   try again later; ``retry_after`` seconds when known
     └─ Permanent     500  exit 1   trying again cannot help

A code is ``slice.reason``: stable, documented, safe to branch on. The message says what and where, the hint what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in an input: where it is, what is wrong and how to mend it."""

    message: str
    file: str | None = None
    line: int | None = None
    field: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        where = self.file or ""
        if self.line is not None:
            where += f":{self.line}"
        if self.field:
            where += f" {self.field}" if where else self.field
        text = f"{where}: {self.message}" if where else self.message
        return f"{text} ({self.hint})" if self.hint else text

    def as_dict(self) -> dict[str, object]:
        """The members that are set, for JSON."""
        return {key: value for key, value in asdict(self).items() if value is not None}


class FlagstoneError(Exception):
    """Base of every error that Flagstone raises on purpose."""

    status = 500
    exit_code = 1
    family = "error"

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        problems: Sequence[Problem] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.problems = tuple(problems)
        self.retry_after = retry_after

    def __str__(self) -> str:
        lines = [self.message if not self.hint else f"{self.message} {self.hint}"]
        lines += [f"  - {problem}" for problem in self.problems]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, object]:
        """The wire form (RFC 9457 members plus ``code``, ``hint`` and ``problems``)."""
        body: dict[str, object] = {
            "type": f"urn:flagstone:error:{self.code}",
            "title": self.family,
            "status": self.status,
            "code": self.code,
            "detail": self.message,
        }
        if self.hint:
            body["hint"] = self.hint
        if self.problems:
            body["problems"] = [problem.as_dict() for problem in self.problems]
        if self.retry_after is not None:
            body["retry_after"] = self.retry_after
        return body


class NotFound(FlagstoneError):
    """The thing does not exist, or the caller may not know that it does."""

    status, exit_code, family = 404, 4, "not found"


class Invalid(FlagstoneError):
    """The input is wrong. ``problems`` holds every fault, not only the first."""

    status, exit_code, family = 422, 2, "invalid"


class Unauthenticated(FlagstoneError):
    """No credential, or one that is not valid. Never treated as anonymous."""

    status, exit_code, family = 401, 3, "not signed in"


class Denied(FlagstoneError):
    """The caller is known and not allowed. The hint names the permission and who grants it."""

    status, exit_code, family = 403, 3, "denied"


class Conflict(FlagstoneError):
    """Something else holds this name, lock or state at the moment."""

    status, exit_code, family = 409, 5, "conflict"


class Unavailable(FlagstoneError):
    """A part this needs is not there now (no platform, a source that is down)."""

    status, exit_code, family = 503, 6, "unavailable"


class Temporary(FlagstoneError):
    """Failed now, may succeed later. Drivers raise it; the engine owns the timing."""

    status, exit_code, family = 503, 6, "temporary"


class Permanent(FlagstoneError):
    """Failed, and trying again cannot help."""

    status, exit_code, family = 500, 1, "failed"


FAMILIES: dict[str, type[FlagstoneError]] = {
    kind.family: kind
    for kind in (NotFound, Invalid, Unauthenticated, Denied, Conflict, Unavailable, Temporary, Permanent)
}
"""Family name on the wire to error class: a client rebuilds the error it was sent."""


def from_dict(body: dict[str, object]) -> FlagstoneError:
    """Rebuild an error from its wire form; an unknown family becomes :class:`Permanent`."""
    kind = FAMILIES.get(str(body.get("title")), Permanent)
    raw = body.get("problems")
    problems = [Problem(**item) for item in raw if isinstance(item, dict)] if isinstance(raw, list) else []
    hint = body.get("hint")
    retry = body.get("retry_after")
    return kind(
        str(body.get("code", "remote.error")),
        str(body.get("detail", "The server answered with an error.")),
        hint=str(hint) if hint else None,
        problems=problems,
        retry_after=float(retry) if isinstance(retry, int | float) else None,
    )
