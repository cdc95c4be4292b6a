"""Learning from the platform's events what golden paths made."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from flagstone.contracts.events import Event
from flagstone.contracts.gateway import RunGateway
from flagstone.foundation.events import PortalEvents
from flagstone.kernel.errors import FlagstoneError

log = logging.getLogger("flagstone.upgrades")

READER = "upgrades"
_EVENT_WAIT = 1.0
_PAUSE = 5.0


class LearnJob:
    """Follows the platform's events through the gateway, from a durable cursor."""

    def __init__(self, gateway: RunGateway, events: PortalEvents, handle: Callable[[Event], None]) -> None:
        self._gateway = gateway
        self._events = events
        self._handle = handle
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="upgrades-events", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the event that is being handled; waits a while for it."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(10)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                reader = self._events.reader(READER, source=self._source)
                while not self._stopped.is_set():
                    reader.poll(self._handle)
                    if reader.retry_in():
                        self._stopped.wait(min(reader.retry_in(), _PAUSE))
            except FlagstoneError as error:
                log.warning("the platform's events cannot be read: %s", error.message)
                self._stopped.wait(_PAUSE)
            except Exception:
                log.exception("reading the platform's events failed")
                self._stopped.wait(_PAUSE)

    def _source(self, after: int, limit: int) -> list[Event]:
        if not self._gateway.info().connected:
            self._stopped.wait(_PAUSE)
            return []
        return self._gateway.events(after=after, limit=limit, wait=_EVENT_WAIT)
