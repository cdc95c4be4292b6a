"""Publishing and reading events."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from flagstone.contracts.events import Event
from flagstone.foundation.events.model import ParkedEvent, ReaderState
from flagstone.foundation.events.service.reader import Reader, Source
from flagstone.foundation.events.store import EventStore
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.ids import new_id
from flagstone.toolkit.db import Database
from flagstone.toolkit.signals import Signals

_LOOK_AGAIN = 1.0
"""Seconds between looks while waiting: another process publishes without waking this one."""


class EventLog:
    """The outbox of one room. ``room`` names the signal topic ``events:<room>`` that is notified after each commit."""

    room = "room"

    def __init__(self, db: Database, signals: Signals | None = None, *, now: Now = utc_now) -> None:
        self._db = db
        self._store = EventStore(db)
        self._signals = signals or Signals()
        self._now = now

    @property
    def topic(self) -> str:
        """The topic to wait for in ``Signals``."""
        return f"events:{self.room}"

    def publish(self, type: str, subject: str, data: Mapping[str, Any] | None = None, *, actor: str = "") -> str:  # noqa: A002  the wire's word
        """Add an event to the current transaction (or to one of its own); returns its id.

        It is written, and gets its cursor, when the transaction commits. ``actor`` is a principal's id.
        """
        event_id = new_id()
        row = {
            "id": event_id,
            "type": type,
            "subject": subject,
            "at": self._now(),
            "actor": actor,
            "data": dict(data or {}),
        }
        with self._db.write():
            self._db.before_commit(lambda conn: self._store.append(conn, row))
            self._db.after_commit(lambda: self._signals.notify(self.topic))
        return event_id

    def read(self, after: int = 0, limit: int = 500) -> list[Event]:
        """Events after a cursor, oldest first."""
        return self._store.read(after, limit)

    def last_cursor(self) -> int:
        """The cursor of the newest event; 0 when there is none."""
        return self._store.last_cursor()

    def wait(self, after: int, timeout: float) -> bool:
        """Block until there is an event after a cursor; False when ``timeout`` seconds ran out."""
        deadline = time.monotonic() + timeout
        while self._store.last_cursor() <= after:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._signals.wait(self.topic, min(left, _LOOK_AGAIN))
            if self._signals.closed:
                return False
        return True

    async def wait_async(self, after: int, timeout: float) -> bool:
        """The same for a coroutine; its look at the database is one indexed read."""
        deadline = time.monotonic() + timeout
        while self._store.last_cursor() <= after:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            await self._signals.wait_async(self.topic, min(left, _LOOK_AGAIN))
            if self._signals.closed:
                return False
        return True

    def reader(
        self,
        name: str,
        *,
        source: Source | None = None,
        start: Literal["beginning", "now"] = "beginning",
        retry_delay: float = 0.5,
    ) -> Reader:
        """The durable reader ``name``, created at ``start`` when it is new.

        With ``source`` it reads another room's events (through the gateway) but keeps its cursor here.
        ``retry_delay``: seconds before a failing event is tried again, doubled each time.
        """
        if self._store.reader_state(name) is None:
            cursor = self.last_cursor() if start == "now" and source is None else 0
            self._store.add_reader(name, cursor, self._now(), foreign_source=source is not None)
        return Reader(name, self._store, source or self._store.read, self._now, retry_delay)

    def readers(self) -> list[ReaderState]:
        """All readers, by name."""
        return self._store.reader_states()

    def forget_reader(self, name: str) -> bool:
        """Delete a reader that nobody uses any more, so that it no longer keeps old events; False when unknown."""
        return self._store.delete_reader(name)

    def parked(self, limit: int = 100) -> list[ParkedEvent]:
        """What readers gave up on, newest first."""
        return list(self._store.parked(None, limit))

    def prune(self, older_than: datetime) -> int:
        """Delete events older than a moment; what a reader of this room has not read yet is kept. Returns how many."""
        return self._store.prune(older_than)


class PortalEvents(EventLog):
    """What happened in the portal."""

    room = "portal"


class PlatformEvents(EventLog):
    """What happened in the platform."""

    room = "platform"
