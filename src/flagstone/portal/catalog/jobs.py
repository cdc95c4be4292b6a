"""Keeping the catalog fresh: locations are read again and again by the clock, and sooner when an event says so.

The clock alone would do: events are hints, and a lost one costs time, never truth. One pair of threads in each process;
two processes that read the same location are harmless.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial

from flagstone.contracts.events import Event
from flagstone.contracts.gateway import RunGateway
from flagstone.foundation.events import PortalEvents, behind
from flagstone.kernel.errors import Denied, Invalid
from flagstone.portal.catalog.service.ingest import IngestService
from flagstone.portal.catalog.service.locations import LocationService

log = logging.getLogger("flagstone.catalog")

READER = "catalog"
_LONGEST_SLEEP = 5.0
_AT_ONCE = 200
_PAUSE_AFTER_FAILURE = 5.0


class RefreshJob:
    """Reads what is due, until it is stopped."""

    def __init__(self, ingest: IngestService, prepare: Callable[[], None] = lambda: None) -> None:
        self._ingest = ingest
        self._prepare = prepare
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.prepared = False
        """Whether what has to be done before the first read is done."""

    def start(self) -> None:
        """Start the thread."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="catalog-refresh", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the location that is being read; waits a while for it."""
        self._stopped.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(10)

    def wake(self) -> None:
        """Look at once whether something is due."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                if not self.prepared:
                    self._prepare()
                    self.prepared = True
                pause = self._step()
            except Exception:
                log.exception("refreshing the catalog failed; going on in %.0f s", _PAUSE_AFTER_FAILURE)
                pause = _PAUSE_AFTER_FAILURE
            if pause > 0:
                self._wake.wait(pause)
            self._wake.clear()

    def _step(self) -> float:
        if self._ingest.refresh_due(_AT_ONCE):
            return 0.0
        due = self._ingest.seconds_until_due()
        return _LONGEST_SLEEP if due is None else min(due, _LONGEST_SLEEP)


class EventJob:
    """Follows the platform's events through the gateway, from a durable cursor."""

    def __init__(
        self,
        gateway: RunGateway,
        events: PortalEvents,
        ingest: IngestService,
        locations: LocationService,
        wake: Callable[[], None],
    ) -> None:
        self._ingest = ingest
        self._locations = locations
        self._wake = wake
        self._follow = behind(gateway, events, READER, self.handle)

    def start(self) -> None:
        """Start the thread."""
        self._follow.start()

    def stop(self) -> None:
        """Stop after the event that is being handled; waits a while for it."""
        self._follow.stop()

    def handle(self, event: Event) -> None:
        """Do what an event asks for; any number of times is as good as once."""
        data = event.data
        if event.type == "repository.pushed":
            self._ingest.hurry("hosted", f"{data['repository']}/")
            self._wake()
        elif event.type == "repository.deleted":
            self._locations.withdraw_repository(str(data["repository"]), actor=event.actor)
        elif event.type == "catalog.location.requested":
            self._once(event, self._locations.accept)
            self._wake()
        elif event.type == "catalog.location.withdrawn":
            self._once(event, partial(self._locations.withdraw, owner=data.get("owner"), role=data.get("role")))

    @staticmethod
    def _once(event: Event, call: Callable[..., object]) -> None:
        try:
            call(str(event.data["type"]), str(event.data["target"]), actor=event.actor)
        except (Invalid, Denied) as error:
            # Trying again cannot mend what the event says.
            log.error("the event %s (%s) cannot be followed: %s", event.id, event.type, error)
