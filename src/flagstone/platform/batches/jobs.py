"""The threads that drive batches: one looks at all of them every now and then, one listens to events."""

from __future__ import annotations

import logging
import threading
import time

from flagstone.foundation.events import EventLog, Following
from flagstone.platform.batches.service import Driver
from flagstone.toolkit.signals import Signals

log = logging.getLogger("flagstone.batches")

TOPIC = "batches"
"""Notified when there is something to do at once."""
_LOOK = 2.0
_TIDY_EVERY = 60.0
_PAUSE_AFTER_FAILURE = 5.0


class BatchJob:
    """Drives batches until it is stopped."""

    def __init__(self, events: EventLog, driver: Driver, signals: Signals) -> None:
        self._listen = Following(events, "batches", driver.heard, start="now", sift=driver.concerned)
        self._driver = driver
        self._signals = signals
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the threads."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._look, name="batches-look", daemon=True)
        self._thread.start()
        self._listen.start()

    def stop(self) -> None:
        """Stop after what is being done; waits a while for it."""
        self._stopped.set()
        self._signals.notify(TOPIC)
        self._listen.stop()
        if self._thread is not None:
            self._thread.join(10)

    def _look(self) -> None:
        tidy_at = 0.0
        while not self._stopped.is_set():
            try:
                if time.monotonic() >= tidy_at:
                    self._driver.tidy()
                    tidy_at = time.monotonic() + _TIDY_EVERY
                if not self._driver.sweep():
                    self._signals.wait(TOPIC, _LOOK)
            except Exception:
                log.exception("driving batches failed; going on in %.0f s", _PAUSE_AFTER_FAILURE)
                self._stopped.wait(_PAUSE_AFTER_FAILURE)
