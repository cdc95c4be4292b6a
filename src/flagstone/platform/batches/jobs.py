"""The threads that drive batches: one looks at all of them every now and then, one listens to events."""

from __future__ import annotations

import logging
import threading
import time

from flagstone.foundation.events import EventLog
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
        self._events = events
        self._driver = driver
        self._signals = signals
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads."""
        self._stopped.clear()
        self._threads = [
            threading.Thread(target=self._look, name="batches-look", daemon=True),
            threading.Thread(target=self._listen, name="batches-events", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop after what is being done; waits a while for it."""
        self._stopped.set()
        self._signals.notify(TOPIC)
        for thread in self._threads:
            thread.join(10)

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

    def _listen(self) -> None:
        while not self._stopped.is_set():
            try:
                reader = self._events.reader("batches", start="now")
                if not reader.poll(self._driver.heard):
                    self._events.wait(reader.state.cursor, 1.0)
                    self._stopped.wait(min(reader.retry_in(), 1.0))
            except Exception:
                log.exception("listening to events failed; going on in %.0f s", _PAUSE_AFTER_FAILURE)
                self._stopped.wait(_PAUSE_AFTER_FAILURE)
