"""Bringing one step (or one turn of it) to its end, so that its side effect happens exactly once."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from flagstone.contracts.actions import Idempotency
from flagstone.contracts.runs import StepDefinition
from flagstone.foundation.access import AccessService
from flagstone.kernel.errors import FlagstoneError, Invalid, Permanent, Problem
from flagstone.platform.runs.model import Intent, StepRecord, Wait, canonical, digest, step_key
from flagstone.platform.runs.service.calling import Call, Caller, Cancelled
from flagstone.platform.runs.service.contexts import Place, RunContext
from flagstone.platform.runs.service.crash import CrashPoints
from flagstone.platform.runs.service.expressions import Scope, render_inputs
from flagstone.platform.runs.service.failing import GO_ON, Tries, failure_of, remembered
from flagstone.platform.runs.service.recording import ActiveRun, Interrupted, Recorder
from flagstone.platform.runs.service.registry import ActionRegistry
from flagstone.platform.runs.service.sources import Reading, Sources
from flagstone.platform.runs.service.workspaces import Workspaces
from flagstone.platform.runs.settings import RunsSettings
from flagstone.sdk import Action, Waiting

_MAX_OUTPUT = 1_000_000


@dataclass(frozen=True, slots=True)
class _Task:
    active: ActiveRun
    step: StepRecord
    definition: StepDefinition
    action: Action
    inputs: Any
    shown: dict[str, Any]
    """The inputs as they are stored: without secrets."""
    key: str
    place: Place

    @property
    def idempotency(self) -> Idempotency:
        """What holds with these inputs."""
        return self.action.idempotency_of(self.inputs)


class StepRunner:
    """Prepares, guards, calls and records. One instance serves all runs."""

    def __init__(
        self,
        recorder: Recorder,
        registry: ActionRegistry,
        *,
        access: AccessService,
        workspaces: Workspaces,
        sources: Sources,
        settings: RunsSettings,
        crash: CrashPoints,
        caller: Caller,
        stopping: Callable[[], float | None],
    ) -> None:
        self._recorder = recorder
        self._steps = recorder.steps
        self._registry = registry
        self._access = access
        self._workspaces = workspaces
        self._sources = sources
        self._settings = settings
        self._crash = crash
        self._caller = caller
        self._stopping = stopping

    def run(self, active: ActiveRun, step: StepRecord, definition: StepDefinition, scope: Scope) -> None:
        """Do the step. Its failure is recorded, not raised; raises Interrupted."""
        deaths = step.deaths + 1 if step.state == "running" else step.deaths
        try:
            if deaths >= self._settings.worker_deaths and step.state == "running":
                raise _deadly(step, deaths)
            task = self._prepare(active, step, definition, scope)
        except FlagstoneError as error:
            self._fail(active, step, error)
            return
        known = self._steps.intent(task.key) if step.attempt else None
        if known is not None and known.state == "done":
            self._succeed(task, None, dict(known.outputs))
        elif known is not None and known.state == "open" and task.idempotency == "none":
            self._unknown(task)
        else:
            self._attempts(task, deaths, seen=known is not None and known.state != "released")

    def _timeout(self, task: _Task) -> float:
        return task.definition.timeout_seconds or self._settings.step_timeout_seconds

    def _prepare(self, active: ActiveRun, step: StepRecord, definition: StepDefinition, scope: Scope) -> _Task:
        run = active.record
        action = self._registry.get(definition.action)
        rendered = render_inputs(definition, scope)
        for warning in rendered.warnings:
            active.book.write(step.id, warning, "warn")
        inputs = parse_inputs(action, rendered.values, definition.id)
        # The owner is what the request says. An action about something owned checks again, with the owner it finds.
        self._access.check(run.principal, action.permission, owner=run.owner, resource=f"run:{run.id}")
        files = active.workspace = active.workspace or self._workspaces.open(run.id)
        reading = Reading(run.workflow, run.principal, files.scratch)
        place = Place(run.id, step.id, run.principal, run.owner, files, reading, self._sources, self._access)
        shown = active.masked(rendered.masked)
        return _Task(
            active, step, definition, action, inputs, shown, step_key(run.id, step.id, step.scope, shown), place
        )

    def _attempts(self, task: _Task, deaths: int, *, seen: bool) -> None:
        active, step = task.active, task.step
        tries = Tries.of(active.waits.get(step.id))
        for number in itertools.count(1):
            self._crash.hit("before_intent", step.id)
            self._begin(task, step.attempt + number, deaths)
            self._crash.hit("after_intent", step.id)
            if active.stop.is_set():
                self._cancelled(active, step, key=task.key)
                return
            again = seen or number > 1
            context = self._context(task, step.attempt + number, repeated=again)
            try:
                call = Call(
                    task.action, context, task.inputs, self._timeout(task), probe=again and task.idempotency == "probe"
                )
                outputs = self._checked(active.masked(self._caller.call(active, call)), step)
            except FlagstoneError as error:
                tries = tries.counted(failure_of(error), self._recorder.db_now())
                if not self._once_more(task, error, tries):
                    return
            except Cancelled:
                self._cancelled(active, step, key=task.key)
                return
            except Waiting as waiting:
                self._park(task, waiting)
                return
            except Interrupted:
                self._put_back(active, step)
                raise
            else:
                self._succeed(task, context, outputs)
                return

    def _once_more(self, task: _Task, error: FlagstoneError, tries: Tries) -> bool:
        """Whether to try again right now. If not, the step has failed, or waits. Raises Interrupted."""
        failure = failure_of(error)
        if failure == "credential":
            self._ask_to_mend(task, error)
            return False
        delay = None
        if failure != "permanent" and task.idempotency != "none":
            delay = tries.pause(error, self._settings, self._recorder.db_now())
        if delay is None:
            self._fail(task.active, task.step, error, key=task.key)
            return False
        if delay <= self._settings.retry_in_place_seconds:
            if self._pause(task, error, delay):
                return True
            self._cancelled(task.active, task.step, key=task.key)
            return False
        self._try_later(task, error, delay, tries)
        return False

    def can_undo(self, action_id: str) -> bool:
        """Whether an action can take back what it does. Raises NotFound for one that is not here."""
        return type(self._registry.get(action_id)).undo is not Action.undo

    def undo(self, active: ActiveRun, step: StepRecord, definition: StepDefinition, scope: Scope) -> None:
        """Take back what a finished step did. Raises what the action raises, Denied."""
        task = self._prepare(active, step, definition, scope)
        context = self._context(task, step.attempt)
        call = Call(task.action, context, task.inputs, self._timeout(task), undo=dict(step.outputs))
        self._caller.call(active, call)

    def _park(self, task: _Task, waiting: Waiting) -> None:
        """The step waits: whatever it did is done, and it is asked again when it is woken."""
        active = task.active
        wait = Wait(
            run_id=active.record.id,
            step_id=task.step.id,
            kind=waiting.kind,
            message=str(active.masked(waiting.message)),
            until=waiting.until,
            schema=active.masked(waiting.schema),
            asked=tuple(waiting.asked),
            approval_id=waiting.approval_id,
            data=active.masked(waiting.data),
        )
        self._put_away(task, wait, None, release=True)

    def _ask_to_mend(self, task: _Task, error: FlagstoneError) -> None:
        """A credential was refused: trying again is no use before somebody has mended it, failing helps nobody."""
        active, step = task.active, task.step
        kept = remembered(active.waits.get(step.id))
        message = str(active.masked(f"{error} Mend it, then let the step go on."))
        wait = Wait(active.record.id, step.id, "input", message, schema=GO_ON, data={"kept": kept}, reason="credential")
        self._put_away(task, wait, error, release=True)

    def _try_later(self, task: _Task, error: FlagstoneError, delay: float, tries: Tries) -> None:
        active, step = task.active, task.step
        until = self._recorder.db_now() + timedelta(seconds=delay)
        message = str(active.masked(f"{error} Next attempt in {delay:.0f} s."))
        data = tries.data(active.waits.get(step.id))
        wait = Wait(active.record.id, step.id, "time", message, until=until, data=data, reason="retry")
        self._put_away(task, wait, error, release=False)

    def _put_away(self, task: _Task, wait: Wait, error: FlagstoneError | None, *, release: bool) -> None:
        active, step, now = task.active, task.step, self._recorder.now()
        active.book.write(step.id, wait.message, "warn" if error else "info")
        problem = active.problem(error) if error else None

        def work() -> None:
            if release:
                self._steps.close_intent(task.key, "released", {}, now)
            self._recorder.waits.put(wait, now)

        event = self._recorder.step_event(step, "waiting", kind=wait.kind, message=wait.message)
        self._recorder.commit(active, [event], work, step=step.id, state="waiting", error=problem)
        active.waits[step.id] = wait

    def _context(self, task: _Task, attempt: int, *, repeated: bool = True) -> RunContext:
        step = task.step
        book = task.active.book
        context = RunContext(
            task.place,
            lambda text, level: book.write(step.id, text, level),
            step_key=task.key,
            attempt=attempt,
            secrets=task.active.secrets,
            stop=threading.Event(),
            repeated=repeated,
        )
        context.resume(task.active.waits.get(step.id))
        return context

    def _begin(self, task: _Task, attempt: int, deaths: int) -> None:
        step, now = task.step, self._recorder.now()
        intent = Intent(task.key, task.active.record.id, step.id, task.action.id, digest(task.shown))

        self._recorder.commit(
            task.active,
            [self._recorder.step_event(step, "running", attempt=attempt)],
            lambda: self._steps.open_intent(intent, now),
            step=step.id,
            state="running",
            attempt=attempt,
            deaths=deaths,
            inputs=task.shown,
            error=None,
            started_at=step.started_at or now,
            ended_at=None,
        )

    def _succeed(self, task: _Task, context: RunContext | None, outputs: dict[str, Any]) -> None:
        """Result, events and the end of the intent in one transaction; without ``context`` they were written before."""
        active, step, now = task.active, task.step, self._recorder.now()
        run = active.record
        active.book.end_step(step.id)

        def work() -> None:
            self._drop_wait(active, step)
            if context is not None:
                self._steps.close_intent(task.key, "done", outputs, now)
                self._recorder.publish(run, context.emitted)
                self._recorder.runs.add_subjects(run.id, context.linked)
            self._crash.hit("before_result", step.id)

        self._recorder.commit(
            active,
            [self._recorder.step_event(step, "succeeded")],
            work,
            step=step.id,
            state="succeeded",
            inputs=task.shown,
            outputs=outputs,
            error=None,
            ended_at=now,
        )
        active.waits.pop(step.id, None)

    def _drop_wait(self, active: ActiveRun, step: StepRecord) -> None:
        if step.id in active.waits:
            self._recorder.waits.drop(active.record.id, step.id)

    def _fail(self, active: ActiveRun, step: StepRecord, error: FlagstoneError, *, key: str | None = None) -> None:
        self._end(active, step, "failed", active.problem(error), key=key, lines=str(error))

    def _cancelled(self, active: ActiveRun, step: StepRecord, *, key: str) -> None:
        self._end(active, step, "cancelled", None, key=key, lines="Stopped because the run was cancelled.")

    def _unknown(self, task: _Task) -> None:
        step = task.step
        error = Permanent(
            "runs.outcome_unknown",
            f"The server was stopped during the step {step.id}, and {task.action.id} cannot tell whether it was done.",
            hint="Look at what it was to change. If it is not done, retry the run; if it is, retry from the next step.",
        )
        self._end(task.active, step, "unknown", task.active.problem(error), key=None, lines=str(error))

    def _end(
        self,
        active: ActiveRun,
        step: StepRecord,
        state: str,
        error: dict[str, Any] | None,
        *,
        key: str | None,
        lines: str,
    ) -> None:
        now = self._recorder.now()
        active.book.write(step.id, lines, "error" if error else "warn")
        active.book.end_step(step.id)

        def work() -> None:
            self._drop_wait(active, step)
            if key is not None:
                self._steps.close_intent(key, "failed", {}, now)

        data = {"error": error} if error else {}
        event = self._recorder.step_event(step, state, **data)
        self._recorder.commit(active, [event], work, step=step.id, state=state, error=error, ended_at=now)
        active.waits.pop(step.id, None)

    def _put_back(self, active: ActiveRun, step: StepRecord) -> None:
        """A stop of the server is not a death: the step is taken up again at the next start, its intent stays open."""
        event = self._recorder.step_event(step, "pending")
        self._recorder.commit(active, [event], step=step.id, state="pending")

    def _pause(self, task: _Task, error: FlagstoneError, delay: float) -> bool:
        """Wait before the next attempt; False when the run was cancelled meanwhile. Raises Interrupted."""
        active, step = task.active, task.step
        active.book.write(step.id, f"{error} Next attempt in {delay:.1f} s.", "warn")
        event = self._recorder.step_event(step, "waiting", seconds=round(delay, 1))
        self._recorder.commit(active, [event], step=step.id, state="waiting", error=active.problem(error))
        until = time.monotonic() + delay
        while (left := until - time.monotonic()) > 0:
            if active.stop.wait(min(left, 0.2)):
                return False
            if self._stopping() is not None:
                self._put_back(active, step)
                raise Interrupted("the server stops")
        return True

    @staticmethod
    def _checked(outputs: dict[str, Any], step: StepRecord) -> dict[str, Any]:
        size = len(canonical(outputs).encode("utf-8", "replace"))
        if size > _MAX_OUTPUT:
            raise Invalid(
                "runs.output_too_large",
                f"The outputs of the step {step.id} have {size:,} bytes.",
                hint=f"At most {_MAX_OUTPUT:,} are stored; write large results into the workspace.",
            )
        return outputs


def parse_inputs(action: Action, values: dict[str, Any], step_id: str) -> Any:
    """The typed inputs. Raises Invalid with every fault and its field."""
    try:
        return action.Input.model_validate(values)
    except ValidationError as error:
        problems = [
            Problem(_fault(fault), field=".".join(["steps", step_id, "input", *(str(part) for part in fault["loc"])]))
            for fault in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise Invalid(
            "runs.bad_inputs",
            f"The input of the step {step_id} is not what {action.id} takes.",
            hint="The fields are described at /api/v1/actions/" + action.id + ".",
            problems=problems,
        ) from None


def _fault(fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        return "there is no such field"
    if fault["type"] == "missing":
        return "is required"
    return str(fault["msg"])


def _deadly(step: StepRecord, deaths: int) -> Permanent:
    return Permanent(
        "runs.worker_died",
        f"The server died {deaths} times while the step {step.id} was at work; it is not tried again by itself.",
        hint="Look into the server's log of these times, then retry the run.",
    )
