"""The threads that look at the clock and listen to events."""

from __future__ import annotations

import logging
import threading

from flagstone.foundation.events import EventLog, Following
from flagstone.platform.triggers.service import Firing

log = logging.getLogger("flagstone.triggers")

_LOOK = 1.0
_PAUSE_AFTER_FAILURE = 5.0


class TriggerJob:
    """Starts what is due and what events ask for, until it is stopped."""

    def __init__(self, events: EventLog, firing: Firing) -> None:
        self._firing = firing
        self._listen = Following(events, "triggers", firing.heard, start="now", sift=firing.concerned)
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the threads."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._watch, name="triggers-clock", daemon=True)
        self._thread.start()
        self._listen.start()

    def stop(self) -> None:
        """Stop after what is being done; waits a while for it."""
        self._stopped.set()
        self._listen.stop()
        if self._thread is not None:
            self._thread.join(10)

    def _watch(self) -> None:
        while not self._stopped.is_set():
            try:
                pause = 0.0 if self._firing.tick() else _LOOK
            except Exception:
                log.exception("looking for what is due failed; going on in %.0f s", _PAUSE_AFTER_FAILURE)
                pause = _PAUSE_AFTER_FAILURE
            self._stopped.wait(pause)
