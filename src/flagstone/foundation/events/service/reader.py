"""A named, durable cursor over events."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from flagstone.contracts.events import Event
from flagstone.foundation.events.model import MAX_TRIES, ParkedEvent, ReaderState
from flagstone.foundation.events.store import EventStore
from flagstone.kernel.clock import Now
from flagstone.kernel.errors import NotFound

log = logging.getLogger("flagstone.events")

Handler = Callable[[Event], None]
Source = Callable[[int, int], list[Event]]
"""(after, limit) -> events, oldest first: this outbox, or another room's through the gateway."""
Sift = Callable[[Sequence[Event]], Iterable[Event]]
"""Those of some events that concern a handler: asked once for all of them, so that the others cost nothing each."""


class Reader:
    """Hands events to a handler, at least once and in order; the handler is idempotent (``event.id`` tells twins).

    A handler that raises gets the same event again, with growing delays; after :data:`MAX_TRIES` failures the event is
    parked and the reader goes on.
    """

    def __init__(self, name: str, store: EventStore, source: Source, now: Now, retry_delay: float) -> None:
        self.name = name
        self._store = store
        self._source = source
        self._now = now
        self._retry_delay = retry_delay
        self.cursor = 0
        """Up to where the last :meth:`poll` has come."""
        self.failing = False
        """Whether the event after that failed, and is tried again later."""

    @property
    def state(self) -> ReaderState:
        """Where it stands. Raises NotFound after it was forgotten."""
        state = self._store.reader_state(self.name)
        if state is None:
            raise NotFound("events.no_reader", f"There is no event reader {self.name!r}.")
        return state

    def retry_in(self) -> float:
        """Seconds until a failing event may be tried again; 0 when nothing fails."""
        retry_at = self.state.retry_at
        return max(0.0, (retry_at - self._now()).total_seconds()) if retry_at else 0.0

    def poll(self, handler: Handler, limit: int = 100, *, sift: Sift | None = None) -> int:
        """Handle up to ``limit`` events now; returns how many were done or parked. Errors of the source are raised.

        With ``sift`` the handler gets only what that chooses; of the rest it is as if it had been handled.
        """
        state = self.state
        self.cursor, self.failing = state.cursor, state.retry_at is not None and state.retry_at > self._now()
        if self.failing:
            return 0
        done = 0
        events = self._source(state.cursor, limit)
        wanted = None if sift is None or not events else {event.id for event in sift(events)}
        for event in events:
            try:
                if wanted is None or event.id in wanted:
                    handler(event)
            except Exception as error:  # noqa: BLE001  a handler may fail in any way; that is counted, not fatal
                self._checkpoint(self.cursor, done)
                return done + self._failed(event, self.cursor, error)
            self.cursor = event.cursor
            done += 1
        self._checkpoint(self.cursor, done)
        return done

    def parked(self, limit: int = 100) -> list[ParkedEvent]:
        """What it gave up on, newest first."""
        return list(self._store.parked(self.name, limit))

    def retry_parked(self, handler: Handler) -> int:
        """Try all parked events again; returns how many are done. What fails again stays parked."""
        done = 0
        for item in reversed(self.parked()):
            try:
                handler(item.event)
            except Exception as error:  # noqa: BLE001  see poll
                self._store.park(self.name, item.event, _text(error), self._now())
                continue
            self._store.unpark(self.name, item.event.id)
            done += 1
        return done

    def _checkpoint(self, cursor: int, done: int) -> None:
        if done:
            self._store.advance(self.name, cursor, self._now())

    def _failed(self, event: Event, cursor: int, error: Exception) -> int:
        now = self._now()
        delay = self._retry_delay * 2 ** min(self.state.tries, MAX_TRIES)
        tries = self._store.failed(self.name, cursor, _text(error), now, now + timedelta(seconds=delay))
        log.warning("reader %s failed on event %s (%s), try %d", self.name, event.id, event.type, tries, exc_info=error)
        if tries < MAX_TRIES:
            self.failing = True
            return 0
        self._store.park(self.name, event, _text(error), now)
        self.cursor = event.cursor
        log.error("reader %s gives up on event %s (%s): parked", self.name, event.id, event.type)
        return 1


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:2000]
