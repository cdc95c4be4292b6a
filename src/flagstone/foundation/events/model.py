"""Values of the outbox beside the event itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flagstone.contracts.events import Event

MAX_TRIES = 5
"""How often a handler may fail on one event before it is parked."""


@dataclass(frozen=True, slots=True)
class ReaderState:
    """Where a reader stands, and what it stumbles over. ``retry_at`` is when the failing event is tried again."""

    name: str
    cursor: int
    tries: int = 0
    error: str = ""
    retry_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """An event that a reader gave up on, with the last error."""

    reader: str
    event: Event
    error: str
    parked_at: datetime
