"""Writing what happens to runs: state, events, outbox and wake-up calls, in one transaction each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from flagstone.foundation.events import PlatformEvents
from flagstone.foundation.vault import Masker
from flagstone.kernel.clock import Now
from flagstone.kernel.errors import FlagstoneError
from flagstone.platform.runs.model import RunRecord, StepRecord, Wait
from flagstone.platform.runs.service.logs import LogBook
from flagstone.platform.runs.service.workspaces import Workspace
from flagstone.platform.runs.store import EventStore, NewEvent, RunStore, StepStore, WaitStore, database_now
from flagstone.toolkit.db import Database
from flagstone.toolkit.signals import Signals


class Interrupted(BaseException):
    """The execution stops here and goes on elsewhere or later: the server stops, or another executor has the run.

    Not an ``Exception``: neither an action nor the engine may take it for a failure of the run.
    """


@dataclass
class ActiveRun:
    """A run in the hands of this process."""

    record: RunRecord
    book: LogBook
    masker: Masker
    secrets: Mapping[str, str]
    stop: threading.Event = field(default_factory=threading.Event)
    """The run was asked to stop."""
    lost: threading.Event = field(default_factory=threading.Event)
    """Another executor has the run: nothing that is done here counts any more."""
    rows: tuple[StepRecord, ...] | None = None
    """Its steps as they are stored: nobody else changes them while this process has the run. None: to be read."""
    waits: dict[str, Wait] = field(default_factory=dict)
    """What its steps wait for, or waited for last, by step."""
    workspace: Workspace | None = None
    """Its folders, once a step has needed them."""
    signal: threading.Event = field(default_factory=threading.Event)
    """Something changed for whoever waits: the action ended, a cancel, the server stops."""

    def masked(self, value: Any) -> Any:
        """A JSON value without secrets, in keys and texts at any depth."""
        if isinstance(value, str):
            return self.masker.mask(value).replace("\x00", "\ufffd")
        if isinstance(value, Mapping):
            return {self.masker.mask(str(key)): self.masked(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.masked(item) for item in value]
        return value

    def problem(self, error: FlagstoneError) -> dict[str, Any]:
        """The wire form of an error, with the last lines of a log when it brings some."""
        body = dict(error.as_dict())
        last = getattr(error, "last_log", ())
        if last:
            body["last_log"] = list(last)
        return dict(self.masked(body))


class Recorder:
    """The transactions of this slice."""

    def __init__(
        self,
        db: Database,
        *,
        runs: RunStore,
        steps: StepStore,
        waits: WaitStore,
        events: EventStore,
        outbox: PlatformEvents,
        signals: Signals,
        now: Now,
    ) -> None:
        self.db = db
        self.runs = runs
        self.steps = steps
        self.waits = waits
        self.now = now
        self._events = events
        self._outbox = outbox
        self._signals = signals

    def db_now(self) -> datetime:
        """The time of the database: for what several processes must agree on."""
        return database_now(self.db, self.now)

    def append(
        self, run_id: str, new: Sequence[NewEvent], fence: int | None = None, also: Mapping[str, Any] | None = None
    ) -> str | None:
        """Add events and wake followers after the commit; returns the state. Raises Conflict for a stale fence."""
        with self.db.write():
            state = self._events.append(run_id, new, fence=fence, also=also)
            self.db.after_commit(lambda: self._signals.notify("runs.log"))
        return state

    def rows(self, active: ActiveRun) -> tuple[StepRecord, ...]:
        """The steps of a run in the hands of this process."""
        if active.rows is None:
            active.rows = self.steps.of(active.record.id)
        return active.rows

    def commit(
        self,
        active: ActiveRun,
        new: Sequence[NewEvent],
        work: Callable[[], None] | None = None,
        *,
        step: str = "",
        **values: Any,
    ) -> None:
        """The log so far, events, new values of a step and other changes, together.

        Notices a cancel. Raises Interrupted when another executor has the run.
        """
        rows = self.rows(active)
        if step:
            rows = tuple(replace(row, **values) if row.id == step else row for row in rows)
        run_id = active.record.id
        try:
            with active.book.draining() as lines, self.db.write():
                counts = _counted(rows) if "state" in values else {}
                state = self.append(run_id, [*lines, *new], active.record.fence, counts)
                if step:
                    self.steps.change(run_id, step, count=False, **values)
                if work is not None:
                    work()
        except FlagstoneError as error:
            active.rows = None
            if error.code == "runs.fenced":
                raise Interrupted(error.message) from error
            raise
        except BaseException:
            active.rows = None
            raise
        if step:
            active.rows = rows
        if state in ("cancelling", "cancelled"):
            active.stop.set()

    def step_event(self, step: StepRecord, state: str, **data: Any) -> NewEvent:
        """A change of a step's state."""
        about = {"name": step.name, "action": step.action, "index": step.index, **data}
        return NewEvent(self.now(), "step", step=step.id, state=state, data=about)

    def run_event(self, state: str, **data: Any) -> NewEvent:
        """A change of a run's state."""
        return NewEvent(self.now(), "run", state=state, data=data)

    def announce(self, run: RunRecord, state: str) -> None:
        """Tell the other room, in the current transaction."""
        data = {
            "state": state,
            "title": run.title,
            "number": run.number,
            "template_ref": run.workflow.template_ref,
            "owner": run.owner,
            "trigger": run.trigger,
        }
        self._outbox.publish("run.changed", run.id, data, actor=run.principal.id)
        self.db.after_commit(lambda: self._signals.notify("runs"))

    def publish(self, run: RunRecord, emitted: Sequence[tuple[str, str, dict[str, Any]]]) -> None:
        """The events of a step's action, in the current transaction."""
        for event_type, subject, data in emitted:
            self._outbox.publish(event_type, subject, {**data, "run": run.id}, actor=run.principal.id)


def _counted(rows: Sequence[StepRecord]) -> dict[str, int]:
    return {"steps_total": len(rows), "steps_done": sum(row.state in ("succeeded", "skipped") for row in rows)}
