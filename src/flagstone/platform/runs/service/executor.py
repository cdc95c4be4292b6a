"""What the engine calls: take a run, do its steps in order, end it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from flagstone.contracts.runs import StepDefinition
from flagstone.foundation.vault import Masker
from flagstone.kernel.errors import FlagstoneError, Invalid
from flagstone.platform.runs.model import RunRecord, StepRecord
from flagstone.platform.runs.service.expressions import (
    Scope,
    condition_holds,
    failed_before,
    outputs_by_step,
    render_output,
    turns_of,
    wanted_after_failure,
)
from flagstone.platform.runs.service.logs import LogBook, LogFlusher
from flagstone.platform.runs.service.recording import ActiveRun, Interrupted, Recorder
from flagstone.platform.runs.service.secrets import RunSecrets
from flagstone.platform.runs.service.steps import StepRunner
from flagstone.platform.runs.service.undoing import Undoer, wants_undo
from flagstone.platform.runs.service.waiting import resumed
from flagstone.platform.runs.settings import RunsSettings

log = logging.getLogger("flagstone.runs")


class Executor:
    """The ``Job`` of the engine. Everything it knows lies in the database: it may be killed at any instant."""

    def __init__(
        self,
        recorder: Recorder,
        flusher: LogFlusher,
        secrets: RunSecrets,
        settings: RunsSettings,
        between_steps: Callable[[str], None],
    ) -> None:
        self._recorder = recorder
        self._flusher = flusher
        self._secrets = secrets
        self._settings = settings
        self._between_steps = between_steps
        self._active: dict[int, ActiveRun] = {}
        self._guard = threading.Lock()
        self._stop_at: float | None = None
        self.undoer: Undoer | None = None
        """Set once by whoever builds the service."""
        self.wake: Callable[[], None] = lambda: None
        """Tells the dispatcher of a run that goes on at once; set by whoever builds the service."""
        self.runner: StepRunner | None = None
        """Set once by whoever builds the service: the runner asks back whether the server stops."""

    def perform(self, execution: str) -> None:
        """See ``ports.Job``. Raises Interrupted when the server stops or another executor has the run."""
        active = self._begin(execution)
        if active is None:
            return
        try:
            for index, definition in enumerate(active.record.workflow.steps):
                self._go_on()
                self._do(active, index, definition)
                self._between_steps(definition.id)
            self._finish(active)
        finally:
            self._drop(active)

    def _go_on(self) -> None:
        if self._stop_at is not None:
            raise Interrupted("the server stops")

    def _begin(self, execution: str) -> ActiveRun | None:
        """Take the run, with a new fence. None when there is nothing to do."""
        run_id, _, dispatch = execution.rpartition(".")
        recorder = self._recorder
        before, _ = recorder.runs.holder(run_id) or ("", 0)
        self._go_on()
        with recorder.db.write():
            record = recorder.runs.begin(run_id, int(dispatch), recorder.now(), self._settings.executor_id)
            if record is None:
                return None
            if before == "queued":
                recorder.append(run_id, [recorder.run_event(record.state)], record.fence)
                recorder.announce(record, record.state)
        try:
            active = self._take(record)
        except FlagstoneError as error:
            self._cannot_begin(record, error)
            return None
        if before != "queued":
            active.book.write("", "Going on after an interruption.", "warn")
        return active

    def _cannot_begin(self, record: RunRecord, error: FlagstoneError) -> None:
        """Its secrets cannot be had: without them nothing of it may be done."""
        recorder = self._recorder
        problem = error.as_dict()
        with recorder.db.write():
            values = {"state": "failed", "error": problem, "ended_at": recorder.now()}
            recorder.runs.change(record.id, values, fence=record.fence)
            recorder.append(record.id, [recorder.run_event("failed", error=problem)], record.fence)
            recorder.announce(record, "failed")

    def _take(self, record: RunRecord) -> ActiveRun:
        values = self._secrets.read(record)
        masker = Masker(values.values())
        recorder = self._recorder
        book = LogBook(
            record.id,
            record.fence,
            recorder.append,
            masker.mask,
            self._settings,
            recorder.now,
            self._flusher.wake,
            stored=record.log_bytes,
        )
        active = ActiveRun(record, book, masker, values, waits=recorder.waits.of(record.id))
        if record.state == "cancelling":
            active.stop.set()
        with self._guard:
            # Not by the run: after a takeover an older life of the same run may still be ending here.
            self._active[id(active)] = active
        self._flusher.add(book)
        return active

    def _do(self, active: ActiveRun, index: int, definition: StepDefinition) -> None:
        steps = self._recorder.rows(active)
        if any(step.state == "unknown" for step in steps) or self._waits(active, steps):
            return
        rows = [step for step in steps if step.index == index]
        if definition.each is not None and len(rows) == 1 and rows[0].key is None and not rows[0].ended:
            rows = self._expand(active, rows[0], definition, steps)
        for row in rows:
            if not row.ended:
                self._one(active, row, definition)
                if self._waits(active, self._recorder.rows(active)):
                    return

    def _waits(self, active: ActiveRun, steps: tuple[StepRecord, ...]) -> bool:
        """Whether a step was put away: what comes after it is done when it goes on."""
        return any(step.state == "waiting" and step.id in active.waits for step in steps)

    def _expand(
        self, active: ActiveRun, row: StepRecord, definition: StepDefinition, steps: tuple[StepRecord, ...]
    ) -> list[StepRecord]:
        """Put one row for each turn in the place of the step's own; none when it does not run at all."""
        scope = self._scope(active, row, steps)
        if active.stop.is_set() or (scope.failed and not wanted_after_failure(definition)):
            return [row]
        try:
            turns = turns_of(definition, scope, self._settings.max_turns)
        except FlagstoneError as error:
            if not _holds(definition, scope):
                self._end(active, row, "skipped", "its condition does not hold")
                return []
            self._fail(active, row, error)
            return []
        if not turns:
            self._end(active, row, "skipped", "there is nothing to do it for")
            return []
        made = [
            replace(row, id=f"{definition.id}[{key}]", turn=number, key=key, value=active.masked(value))
            for number, (key, value) in enumerate(turns)
        ]
        events = [self._recorder.step_event(step, "pending", key=step.key) for step in made]
        self._recorder.commit(active, events, lambda: self._recorder.steps.replace(active.record.id, row.index, made))
        active.rows = None
        return made

    def _one(self, active: ActiveRun, row: StepRecord, definition: StepDefinition) -> None:
        scope = self._scope(active, row, self._recorder.rows(active))
        if active.stop.is_set():
            self._end(active, row, "cancelled", "the run was cancelled")
            return
        if scope.failed and not wanted_after_failure(definition):
            self._end(active, row, "skipped", "an earlier step failed")
            return
        try:
            wanted = condition_holds(definition, scope)
        except FlagstoneError as error:
            self._fail(active, row, error)
            return
        if not wanted:
            self._end(active, row, "skipped", "its condition does not hold")
            return
        if self.runner is None:
            raise RuntimeError("the executor was used before it was put together")
        self.runner.run(active, row, definition, scope)

    def _scope(self, active: ActiveRun, row: StepRecord, steps: tuple[StepRecord, ...]) -> Scope:
        record = active.record
        return Scope(
            parameters=record.inputs,
            outputs=outputs_by_step(steps, record.workflow),
            principal=record.principal,
            task_id=record.id,
            each={"key": row.key, "value": row.value} if row.key is not None else None,
            secrets=active.secrets,
            failed=failed_before(steps, row),
        )

    def _end(self, active: ActiveRun, row: StepRecord, state: str, why: str) -> None:
        event = self._recorder.step_event(row, state, reason=why)
        now = self._recorder.now()
        active.book.write(row.id, f"{state.capitalize()}: {why}.", "info")
        self._recorder.commit(active, [event], step=row.id, state=state, ended_at=now)

    def _fail(self, active: ActiveRun, row: StepRecord, error: FlagstoneError) -> None:
        problem = active.problem(error)
        event = self._recorder.step_event(row, "failed", error=problem)
        now = self._recorder.now()
        active.book.write(row.id, str(error), "error")
        self._recorder.commit(active, [event], step=row.id, state="failed", error=problem, started_at=now, ended_at=now)

    def _finish(self, active: ActiveRun) -> None:
        recorder = self._recorder
        steps = recorder.rows(active)
        if self._waits(active, steps):
            if self._put_away(active):
                return
            steps = self._stop_waiting(active, steps)
        state, error = _outcome(steps)
        output: dict[str, Any] = {}
        if self.undoer is not None and wants_undo(active, state, asked=self._asked_to_undo(active)):
            error = self._undone(active, steps) or error
        if state == "succeeded":
            output, error = self._output(active, steps)
            state = "failed" if error else state
        ended = None if state == "unknown" else recorder.now()
        values = {"state": state, "error": error, "output": output, "ended_at": ended}
        event = recorder.run_event(
            state, **({"error": error} if error else {}), **({"output": output} if output else {})
        )

        def work() -> None:
            recorder.runs.change(active.record.id, values, fence=active.record.fence)
            recorder.announce(active.record, state)

        recorder.commit(active, [event], work)
        if state == "succeeded":
            self._secrets.forget(active.record)

    def _asked_to_undo(self, active: ActiveRun) -> bool:
        now = self._recorder.runs.get(active.record.id)
        return now is not None and now.undo

    def _undone(self, active: ActiveRun, steps: tuple[StepRecord, ...]) -> dict[str, Any] | None:
        assert self.undoer is not None
        active.stop.clear()
        return self.undoer.undo(active, steps, lambda step: self._scope(active, step, steps))

    def _put_away(self, active: ActiveRun) -> bool:
        """The run waits, and nothing of it stays in memory. False when it was asked to stop meanwhile."""
        recorder, record = self._recorder, active.record
        put: list[bool] = []

        def work() -> None:
            # Not with the fence alone: a cancel must not be lost.
            put.append(recorder.runs.change(record.id, {"state": "waiting"}, fence=record.fence, states=("running",)))
            if not put[0]:
                return
            recorder.append(record.id, [recorder.run_event("waiting")], record.fence)
            recorder.announce(record, "waiting")
            ready = [wait.step_id for wait in recorder.waits.of(record.id).values() if wait.state != "open"]
            if ready and recorder.runs.reopen(record.id, ("waiting",), state="queued") is not None:
                resumed(recorder, record, ready)
                recorder.db.after_commit(self.wake)

        recorder.commit(active, [], work)
        return put[0]

    def _stop_waiting(self, active: ActiveRun, steps: tuple[StepRecord, ...]) -> tuple[StepRecord, ...]:
        for step in steps:
            if step.state == "waiting":
                self._end(active, step, "cancelled", "the run was cancelled")
        with self._recorder.db.write():
            self._recorder.waits.drop(active.record.id)
        active.waits.clear()
        for step in steps:
            if step.state == "pending":
                self._end(active, step, "cancelled", "the run was cancelled")
        return self._recorder.rows(active)

    def _output(
        self, active: ActiveRun, steps: tuple[StepRecord, ...]
    ) -> tuple[dict[str, Any], Mapping[str, Any] | None]:
        record = active.record
        scope = Scope(record.inputs, outputs_by_step(steps, record.workflow), record.principal, record.id)
        try:
            return active.masked(render_output(record.workflow.output, scope)), None
        except Invalid as error:
            return {}, active.problem(error)

    def _drop(self, active: ActiveRun) -> None:
        with self._guard:
            self._active.pop(id(active), None)
        self._flusher.remove(active.book)

    def look(self, active: ActiveRun) -> None:
        """Notice a cancel, or that another executor has the run by now: perhaps in another process."""
        now = self._recorder.runs.holder(active.record.id)
        if now is None or now[0] in ("cancelling", "cancelled"):
            active.stop.set()
        if now is None or now[1] != active.record.fence:
            active.lost.set()

    def cancel(self, run_id: str) -> None:
        """Tell the step that is at work now."""
        with self._guard:
            found = [active for active in self._active.values() if active.record.id == run_id]
        for active in found:
            active.stop.set()
            active.signal.set()

    def stopping(self) -> float | None:
        """Until when (monotonic time) steps may go on; None while the server does not stop."""
        return self._stop_at

    def stop(self, grace: float) -> None:
        """No new steps; wait up to ``grace`` seconds for those at work."""
        self._stop_at = time.monotonic() + grace
        with self._guard:
            found = list(self._active.values())
        for active in found:
            active.signal.set()
        while self._active and time.monotonic() < self._stop_at + 1:
            time.sleep(0.02)


def _holds(definition: StepDefinition, scope: Scope) -> bool:
    try:
        return condition_holds(definition, scope)
    except FlagstoneError:
        return True


def _outcome(steps: tuple[StepRecord, ...]) -> tuple[str, Mapping[str, Any] | None]:
    """The state of a run from the states of its steps, and the first error."""
    for state in ("unknown", "failed", "cancelled"):
        found = [step for step in steps if step.state == state]
        if found:
            return state, found[0].error
    return "succeeded", None
