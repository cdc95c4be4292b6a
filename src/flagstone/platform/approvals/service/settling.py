"""What happens to requests when their run goes on without them, or was not there to be woken."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from flagstone.contracts.runs import ENDED, RunView
from flagstone.foundation.events import Event
from flagstone.kernel.actor import system
from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import Conflict, NotFound
from flagstone.platform.approvals.store import ApprovalStore
from flagstone.platform.runs import RunService, WaitService

_SELF = system("approvals")


class Settler:
    """Voids what a run that has ended was waiting for, and wakes a step that was decided before it was put away."""

    def __init__(
        self, store: ApprovalStore, runs: RunService, waiting: WaitService, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._store = store
        self._runs = runs
        self._waiting = waiting
        self._now = now

    def concerned(self, events: Sequence[Event]) -> list[Event]:
        """The events of runs that have asked for something and that end or wait now."""
        stopped = [
            event for event in events if event.type == "run.changed" and event.data.get("state") in (*ENDED, "waiting")
        ]
        asking = self._store.asking({event.subject for event in stopped})
        return [event for event in stopped if event.subject in asking]

    def heard(self, event: Event) -> None:
        """Handle an event of the outbox, one of those that are ``concerned``."""
        self.settle(event.subject)

    def settle(self, run_id: str) -> None:
        """Bring the requests of a run in line with it."""
        records = self._store.of_run(run_id)
        if not records:
            return
        pending = [record.id for record in records if record.state == "pending"]
        run = self._run(run_id)
        if run is None or run.state in ENDED:
            self._store.turn(pending, "pending", "void", self._now())
            return
        waiting = {step.id for step in run.steps if step.wait is not None and step.wait.kind == "approval"}
        open_steps = {record.step_id for record in records if record.state == "pending"}
        for step_id in waiting - open_steps:
            with contextlib.suppress(Conflict):
                self._waiting.signal(run_id, step_id, {"settled": True})

    def sweep(self) -> None:
        """Look at everything that waits, as after a start."""
        for run_id in self._store.runs_with_pending():
            self.settle(run_id)

    def prune(self, keep_days: int) -> int:
        """Delete old plans; returns how many."""
        return self._store.prune_plans(self._now() - timedelta(days=keep_days))

    def _run(self, run_id: str) -> RunView | None:
        try:
            return self._runs.get(run_id, _SELF)
        except NotFound:
            return None
