"""The thread that follows the outbox for ``service.Settler``, and the one that tidies up."""

from __future__ import annotations

from flagstone.foundation.events import EventLog, Following
from flagstone.platform.approvals.service import Settler
from flagstone.toolkit.schedule import Every


class SettleJob:
    """Follows runs from a durable cursor."""

    def __init__(self, events: EventLog, settler: Settler, keep_plans_days: int) -> None:
        self._follow = Following(
            events, "approvals", settler.heard, start="now", sift=settler.concerned, first=settler.sweep
        )
        self._tidy = Every("approvals-tidy", 3600, lambda: settler.prune(keep_plans_days))

    def start(self) -> None:
        """Start the threads."""
        self._follow.start()
        self._tidy.start()

    def stop(self) -> None:
        """Stop after what is being done; waits a while for it."""
        self._tidy.stop()
        self._follow.stop()
