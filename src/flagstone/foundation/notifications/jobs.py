"""The threads: one follows the events of the platform, here or behind the gateway, one sends, one tidies up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from flagstone.contracts.gateway import RunGateway
from flagstone.foundation.events import Event, EventLog, Following, behind
from flagstone.foundation.notifications.service import Deliverer, Follower
from flagstone.foundation.notifications.service.notifier import WAKE
from flagstone.kernel.clock import utc_now
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
        self._follow: Following | None = None
        self._sending: threading.Thread | None = None
        self._tidy = Every("notifications-tidy", 3600, lambda: deliverer.prune(keep_days))

    def start(self) -> None:
        """Start the threads."""
        self._stopped.clear()
        self._follow = self._following()
        if self._follow is not None:
            self._follow.start()
        self._sending = threading.Thread(target=self._send, name="notifications-send", daemon=True)
        self._sending.start()
        self._tidy.start()

    def stop(self) -> None:
        """Stop after what is being done; waits a while for it."""
        self._stopped.set()
        self._signals.notify(WAKE)
        self._tidy.stop()
        if self._follow is not None:
            self._follow.stop()
        if self._sending is not None:
            self._sending.join(10)

    def _following(self) -> Following | None:
        """What happened before there were any notifications is told to nobody."""
        if self._behind is None:
            return Following(self._events, READER, self._follower.heard, start="now", sift=self._follower.concerned)
        gateway = self._behind()
        if gateway is None:
            return None
        since = None if any(reader.name == READER_BEHIND for reader in self._events.readers()) else utc_now()

        def concerned(events: Sequence[Event]) -> list[Event]:
            return [event for event in self._follower.concerned(events) if since is None or event.at >= since]

        return behind(gateway, self._events, READER_BEHIND, self._follower.heard, sift=concerned)

    def _send(self) -> None:
        while not self._stopped.is_set():
            try:
                if not self._deliverer.turn():
                    self._signals.wait(WAKE, self._deliverer.rest(_WAIT))
            except Exception:
                log.exception("sending failed; going on in %.0f s", _PAUSE_AFTER_FAILURE)
                self._stopped.wait(_PAUSE_AFTER_FAILURE)
