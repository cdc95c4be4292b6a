"""The thread that follows the outbox for ``service.Settler``, and the one that tidies up."""

from __future__ import annotations

import logging
import threading

from flagstone.foundation.events import EventLog
from flagstone.platform.approvals.service import Settler
from flagstone.toolkit.schedule import Every

log = logging.getLogger("flagstone.approvals")

_WAIT = 1.0
_PAUSE_AFTER_FAILURE = 5.0


class SettleJob:
    """Follows runs from a durable cursor."""

    def __init__(self, events: EventLog, settler: Settler, keep_plans_days: int) -> None:
        self._events = events
        self._settler = settler
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._tidy = Every("approvals-tidy", 3600, lambda: settler.prune(keep_plans_days))

    def start(self) -> None:
        """Start the threads."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="approvals-settle", daemon=True)
        self._thread.start()
        self._tidy.start()

    def stop(self) -> None:
        """Stop after what is being done; waits a while for it."""
        self._stopped.set()
        self._tidy.stop()
        if self._thread is not None:
            self._thread.join(10)

    def _run(self) -> None:
        swept = False
        while not self._stopped.is_set():
            try:
                reader = self._events.reader("approvals", start="now")
                if not swept:
                    self._settler.sweep()
                    swept = True
                if not reader.poll(self._settler.heard):
                    self._events.wait(reader.state.cursor, _WAIT)
                    # An event that failed is tried again later: it is newer than the cursor, so nothing is waited for.
                    self._stopped.wait(min(reader.retry_in(), _WAIT))
            except Exception:
                log.exception("following runs failed; going on in %.0f s", _PAUSE_AFTER_FAILURE)
                self._stopped.wait(_PAUSE_AFTER_FAILURE)
