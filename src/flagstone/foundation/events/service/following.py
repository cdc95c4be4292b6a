"""A thread that follows a log: one loop for everybody who does something about events."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Literal

from flagstone.contracts.events import Event
from flagstone.contracts.gateway import RunGateway
from flagstone.foundation.events.service.log import EventLog
from flagstone.foundation.events.service.reader import Handler, Reader, Sift, Source
from flagstone.kernel.errors import FlagstoneError

log = logging.getLogger("flagstone.events")

_PAGE = 100
_GATHER = 0.1
_WAIT = 1.0
_PAUSE_AFTER_FAILURE = 5.0


class Following:
    """Hands events to a handler, in order and at least once, see :class:`Reader`, from :meth:`start` to :meth:`stop`.

    The first event after a silence is handled at once. While events keep coming, those of a tenth of a second are taken
    together: looking for each of them would cost more than what is done about it.
    """

    def __init__(
        self,
        events: EventLog,
        name: str,
        handler: Handler,
        *,
        start: Literal["beginning", "now"] = "beginning",
        sift: Sift | None = None,
        first: Callable[[], object] = lambda: None,
        source: Source | None = None,
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        """``first`` is called once, before the first event. ``source`` is another log, which waits for events itself;
        it is asked while ``ready``. For ``start`` see :meth:`EventLog.reader`, for ``sift`` :meth:`Reader.poll`.
        """
        self._events = events
        self._name = name
        self._handler = handler
        self._start: Literal["beginning", "now"] = start
        self._sift = sift
        self._first = first
        self._source = source
        self._ready = ready
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread. A reader that is to begin now begins now, not when the thread gets to it."""
        self._stopped.clear()
        if self._start == "now":
            self._reader()
        self._thread = threading.Thread(target=self._run, name=f"events-{self._name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the event that is being handled; waits a while for it."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(10)

    def _run(self) -> None:
        begun = False
        while not self._stopped.is_set():
            try:
                reader = self._reader()
                if not begun:
                    self._first()
                    begun = True
                while not self._stopped.is_set():
                    self._turn(reader)
            except FlagstoneError as error:
                log.warning("%s: events cannot be followed: %s", self._name, error.message)
                self._stopped.wait(_PAUSE_AFTER_FAILURE)
            except Exception:
                log.exception("%s: following events failed; going on in %.0f s", self._name, _PAUSE_AFTER_FAILURE)
                self._stopped.wait(_PAUSE_AFTER_FAILURE)

    def _reader(self) -> Reader:
        return self._events.reader(self._name, source=self._source, start=self._start)

    def _turn(self, reader: Reader) -> None:
        if not self._ready():
            self._stopped.wait(_PAUSE_AFTER_FAILURE)
            return
        began = time.monotonic()
        done = reader.poll(self._handler, _PAGE, sift=self._sift)
        if reader.failing:
            self._stopped.wait(min(reader.retry_in(), _PAUSE_AFTER_FAILURE))
        elif done < _PAGE:
            if self._source is None:
                self._events.wait(reader.cursor, _WAIT)
            if done:
                self._stopped.wait(max(0.0, began + _GATHER - time.monotonic()))


def behind(
    gateway: RunGateway, events: EventLog, name: str, handler: Handler, *, sift: Sift | None = None
) -> Following:
    """Follow the platform's events through the gateway; the cursor is kept in ``events``."""

    def source(after: int, limit: int) -> list[Event]:
        return gateway.events(after=after, limit=limit, wait=_WAIT)

    return Following(events, name, handler, sift=sift, source=source, ready=lambda: gateway.info().connected)
