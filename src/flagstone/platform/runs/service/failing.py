"""What is done about a step that failed: once more, soon or later; wait for a person; or give it up."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import FlagstoneError, Temporary, Unauthenticated, Unavailable
from flagstone.platform.runs.model import Wait
from flagstone.platform.runs.settings import RunsSettings

Failure = Literal["transient", "rate_limited", "credential", "permanent"]

_LIMIT = 5.0
"""Seconds: who asks to be left alone for longer is not busy but counts requests."""
GO_ON = {"type": "object", "properties": {}}
"""The form of a step that waits until a person has mended a credential: nothing to fill in."""


def failure_of(error: FlagstoneError) -> Failure:
    """What kind of failure it is.

    Temporary and Unavailable pass by themselves; with a long ``retry_after`` it is a limit that has an end. A
    credential that is refused (an
    Unauthenticated, or a code that ends with ``credential_refused``) is mended by a person. All else stays as it is.
    """
    if isinstance(error, Unauthenticated) or error.code.endswith(".credential_refused"):
        return "credential"
    if isinstance(error, Temporary | Unavailable):
        return "rate_limited" if (error.retry_after or 0) > _LIMIT else "transient"
    return "permanent"


@dataclass(frozen=True, slots=True)
class Tries:
    """The attempts of a step since a person last had a say: kept in its wait while it waits for the next one."""

    since: datetime | None = None
    """When the first one failed."""
    transient: int = 0
    """Failures that count: being asked to come back later does not."""

    @classmethod
    def of(cls, wait: Wait | None) -> Tries:
        """What was kept, or none yet."""
        if wait is None or wait.reason != "retry":
            return cls()
        return cls(datetime.fromisoformat(wait.data["since"]), int(wait.data["transient"]))

    def counted(self, failure: Failure, now: datetime) -> Tries:
        """With one more."""
        return Tries(self.since or now, self.transient + (failure == "transient"))

    def pause(self, error: FlagstoneError, settings: RunsSettings, now: datetime) -> float | None:
        """Seconds until the next attempt; None when there is none: too many, or it takes too long altogether."""
        if self.transient >= settings.step_attempts:
            return None
        ceiling = min(settings.retry_cap_seconds, settings.retry_base_seconds * 2 ** max(0, self.transient - 1))
        # Full jitter, so that many steps that failed together do not come back together.
        delay = max(random.uniform(0, ceiling), error.retry_after or 0)  # noqa: S311  no secret depends on it
        ends = (self.since or now) + timedelta(seconds=settings.retry_budget_seconds)
        return delay if now + timedelta(seconds=delay) <= ends else None

    def data(self, kept: Wait | None) -> Mapping[str, Any]:
        """What the wait keeps: the tries, and what the action remembered and was answered before."""
        return {"since": (self.since or utc_now()).isoformat(), "transient": self.transient, "kept": remembered(kept)}


def remembered(wait: Wait | None) -> dict[str, Any]:
    """``memory`` and ``answer`` for the action, also when its step waited for another attempt meanwhile."""
    if wait is None:
        return {"memory": {}, "answer": None}
    if wait.reason:
        return dict(wait.data["kept"])
    return {"memory": dict(wait.data), "answer": dict(wait.answer) if wait.answer is not None else None}
