"""The threads: one follows the outbox of the platform, one sends, one tidies up."""

from __future__ import annotations

import logging
import threading

from flagstone.foundation.events import EventLog
from flagstone.foundation.notifications.service import Deliverer, Follower
from flagstone.foundation.notifications.service.notifier import WAKE
from flagstone.toolkit.schedule import Every
from flagstone.toolkit.signals import Signals

log = logging.getLogger("flagstone.notifications")

READER = "notifications"
_WAIT = 5.0
_PAUSE_AFTER_FAILURE = 5.0


class NotificationsJob:
    """``events`` None: this process has no platform, so there is nothing to follow."""

    def __init__(
        self, events: EventLog | None, follower: Follower, deliverer: Deliverer, signals: Signals, keep_days: int
    ) -> None:
        self._events = events
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
        if self._events is not None:
            # Before anything can happen: what happens from now on is told, not what happened before there were any.
            self._events.reader(READER, start="now")
            work.append(("notifications-follow", self._follow))
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

    def _follow(self) -> None:
        assert self._events is not None
        while not self._stopped.is_set():
            try:
                reader = self._events.reader(READER, start="now")
                if not reader.poll(self._follower.heard):
                    self._stopped.wait(min(reader.retry_in(), _WAIT))
                    self._events.wait(reader.state.cursor, 1.0)
            except Exception:
                log.exception("following events failed; going on in %.0f s", _PAUSE_AFTER_FAILURE)
                self._stopped.wait(_PAUSE_AFTER_FAILURE)
