"""The threads: one follows the events of the platform, here or behind the gateway, one sends, one tidies up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from flagstone.contracts.gateway import RunGateway
from flagstone.foundation.events import Event, EventLog
from flagstone.foundation.notifications.service import Deliverer, Follower
from flagstone.foundation.notifications.service.notifier import WAKE
from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import FlagstoneError
from flagstone.toolkit.schedule import Every
from flagstone.toolkit.signals import Signals

log = logging.getLogger("flagstone.notifications")

READER = "notifications"
READER_BEHIND = "notifications-platform"
"""Of a portal alone: what happened in its platform, by a cursor of the portal's own."""
_WAIT = 5.0
_PAUSE_AFTER_FAILURE = 5.0


class NotificationsJob:
    """``events`` is the outbox of the platform in this process.

    A portal alone has none: it gives ``behind``, where its gateway is found once the process is built, and ``events``
    is its own log, which keeps the cursor. A platform behind the gateway that tells its own people does so besides.
    """

    def __init__(
        self,
        events: EventLog,
        follower: Follower,
        deliverer: Deliverer,
        signals: Signals,
        keep_days: int,
        behind: Callable[[], RunGateway | None] | None = None,
    ) -> None:
        self._events = events
        self._behind = behind
        self._follower = follower
        self._deliverer = deliverer
        self._signals = signals
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._tidy = Every("notifications-tidy", 3600, lambda: deliverer.prune(keep_days))

    def start(self) -> None:
        """Start the threads."""
        self._stopped.clear()
        work = [("notifications-send", self._send)]
        gateway = self._behind() if self._behind is not None else None
        if self._behind is None:
            # Before anything can happen: what happens from now on is told, not what happened before there were any.
            self._events.reader(READER, start="now")
            work.append(("notifications-follow", self._follow))
        elif gateway is not None:
            work.append(("notifications-follow", lambda: self._follow_behind(gateway)))
        self._threads = [threading.Thread(target=call, name=name, daemon=True) for name, call in work]
        for thread in self._threads:
            thread.start()
        self._tidy.start()

    def stop(self) -> None:
        """Stop after what is being done; waits a while for it."""
        self._stopped.set()
        self._signals.notify(WAKE)
        self._tidy.stop()
        for thread in self._threads:
            thread.join(10)

    def _send(self) -> None:
        while not self._stopped.is_set():
            try:
                if not self._deliverer.turn():
                    self._signals.wait(WAKE, self._deliverer.rest(_WAIT))
            except Exception:
                log.exception("sending failed; going on in %.0f s", _PAUSE_AFTER_FAILURE)
                self._stopped.wait(_PAUSE_AFTER_FAILURE)

    def _follow_behind(self, gateway: RunGateway) -> None:
        known = any(reader.name == READER_BEHIND for reader in self._events.readers())
        # What happened before there were notifications is told to nobody.
        since = None if known else utc_now()
        while not self._stopped.is_set():
            try:
                self._turn_behind(gateway, since)
            except FlagstoneError as error:
                log.warning("the platform's events cannot be read: %s", error.message)
                self._stopped.wait(_PAUSE_AFTER_FAILURE)
            except Exception:
                log.exception("following events failed; going on in %.0f s", _PAUSE_AFTER_FAILURE)
                self._stopped.wait(_PAUSE_AFTER_FAILURE)

    def _turn_behind(self, gateway: RunGateway, since: datetime | None) -> None:
        def source(after: int, limit: int) -> list[Event]:
            if not gateway.info().connected:
                return []
            return gateway.events(after=after, limit=limit, wait=_WAIT)

        def heard(event: Event) -> None:
            if since is None or event.at >= since:
                self._follower.heard(event)

        reader = self._events.reader(READER_BEHIND, source=source)
        if not reader.poll(heard):
            self._stopped.wait(max(0.5, min(reader.retry_in(), _WAIT)))

    def _follow(self) -> None:
        while not self._stopped.is_set():
            try:
                reader = self._events.reader(READER, start="now")
                if not reader.poll(self._follower.heard):
                    self._stopped.wait(min(reader.retry_in(), _WAIT))
                    self._events.wait(reader.state.cursor, 1.0)
            except Exception:
                log.exception("following events failed; going on in %.0f s", _PAUSE_AFTER_FAILURE)
                self._stopped.wait(_PAUSE_AFTER_FAILURE)
