"""Time as a value that can be handed in. Everything is UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Now = Callable[[], datetime]
"""What a service takes when it needs the time; tests hand in their own."""


def utc_now() -> datetime:
    """The current moment, aware, UTC."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """RFC 3339 with milliseconds and ``Z``: the one form on the wire."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
