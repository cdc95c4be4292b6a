"""Calling an action in a thread of its own, with a time-out, and leaving it behind when it does not stop."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from flagstone.kernel.errors import FlagstoneError, Invalid, Permanent
from flagstone.platform.runs.service.contexts import RunContext
from flagstone.platform.runs.service.crash import CrashPoints
from flagstone.platform.runs.service.recording import ActiveRun, Interrupted
from flagstone.sdk import Action, UndoNotPossible, Waiting

log = logging.getLogger("flagstone.runs")

_LOOK = 0.5
"""Seconds between looks at whether the run was cancelled by another process."""


class Cancelled(Exception):
    """The step ended because the run was asked to stop."""


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt of an action."""

    action: Action
    context: RunContext
    inputs: Any
    timeout: float
    """Seconds."""
    probe: bool = False
    """First ask whether the side effect has happened already."""
    undo: Mapping[str, Any] | None = None
    """Take back what gave these outputs, instead of doing it."""


@dataclass
class _Outcome:
    done: threading.Event = field(default_factory=threading.Event)
    outputs: dict[str, Any] = field(default_factory=dict)
    error: FlagstoneError | None = None
    waiting: Waiting | None = None


class Caller:
    """``stopping`` tells until when (monotonic time) a stopping server waits; None while it does not stop."""

    def __init__(
        self,
        *,
        grace: float,
        crash: CrashPoints,
        stopping: Callable[[], float | None],
        look: Callable[[ActiveRun], None],
    ) -> None:
        self._grace = grace
        self._crash = crash
        self._stopping = stopping
        self._look = look

    def call(self, active: ActiveRun, call: Call) -> dict[str, Any]:
        """The outputs. Raises what the action raised, Waiting too, Cancelled, Permanent for a time-out, Interrupted."""
        outcome = _Outcome()
        thread = threading.Thread(
            target=self._perform, args=(active, call, outcome), name=f"step-{call.context.step_id}", daemon=True
        )
        thread.start()
        late = self._wait(active, call, outcome)
        if not outcome.done.is_set():
            call.context.close()
            if late is None:
                raise Interrupted("the server stops, or another executor has the run")
            log.warning("the step %s of run %s did not stop and is left", call.context.step_id, call.context.run_id)
            raise late
        if outcome.waiting is not None:
            if self._stopped(active, call):
                raise Cancelled("the run was cancelled")
            raise outcome.waiting
        if outcome.error is not None:
            if self._stopped(active, call):
                raise Cancelled(outcome.error.message) from outcome.error
            raise outcome.error
        if late is not None and call.context.noticed_stop:
            raise late
        return outcome.outputs

    def _wait(self, active: ActiveRun, call: Call, outcome: _Outcome) -> Exception | None:
        """Wait for the end; returns why the action was asked to stop, if it was."""
        began = time.monotonic()
        deadline = began + call.timeout
        give_up: float | None = None
        late: Exception | None = None
        while not outcome.done.is_set():
            now = time.monotonic()
            until_stop = self._stopping()
            if (until_stop is not None and now >= until_stop) or (give_up is not None and now >= give_up):
                return late
            if now >= began + _LOOK and not self._stopped(active, call):
                self._look(active)
            if active.lost.is_set():
                call.context.stop_event.set()
                return None
            if late is None and self._stopped(active, call):
                late = Cancelled("the run was cancelled")
            if late is None and now >= deadline:
                late = _timed_out(call.context.step_id, call.timeout)
            if late is not None and give_up is None:
                call.context.stop_event.set()
                give_up = now + self._grace
            ends = [_LOOK, *(end - now for end in (deadline, give_up, until_stop) if end is not None and end > now)]
            active.signal.wait(min(ends))
            active.signal.clear()
        return late

    @staticmethod
    def _stopped(active: ActiveRun, call: Call) -> bool:
        """A cancel does not stop what takes the run back."""
        return active.stop.is_set() and call.undo is None

    def _perform(self, active: ActiveRun, call: Call, outcome: _Outcome) -> None:
        try:
            if call.undo is not None:
                call.action.undo(call.context, call.inputs, call.undo)
                self._crash.hit("after_undo", call.context.step_id)
                return
            found = call.action.probe(call.context, call.inputs) if call.probe else None
            if found is None:
                found = call.action.run(call.context, call.inputs)
                self._crash.hit("after_effect", call.context.step_id)
            outcome.outputs = to_outputs(call.action, found)
        except Waiting as waiting:
            outcome.waiting = waiting
        except UndoNotPossible as error:
            outcome.error = Permanent("runs.no_undo", f"{call.action.id} cannot take this back: {error}")
        except FlagstoneError as error:
            outcome.error = error
        except BaseException as error:  # noqa: BLE001  whatever it is, the step has failed
            # Not by `exc_info`: an exception may quote a secret that the action was given.
            told = active.masker.mask("".join(traceback.format_exception(error)))
            log.error("the action %s failed in run %s\n%s", call.action.id, call.context.run_id, told)
            outcome.error = Permanent(
                "runs.action_crashed",
                f"The action {call.action.id} failed unexpectedly: {type(error).__name__}: {error}",
                hint="This is a fault in the action, not in your input. The server's log has the details.",
            )
        finally:
            outcome.done.set()
            active.signal.set()


def to_outputs(action: Action, found: object) -> dict[str, Any]:
    """JSON of what an action returned. Raises Invalid when it is not what it promised."""
    if found is None:
        return {}
    if not isinstance(found, BaseModel):
        raise Invalid("runs.bad_output", f"The action {action.id} returned {type(found).__name__} and not its Output.")
    return found.model_dump(mode="json", by_alias=True, exclude_none=True)


def _timed_out(step_id: str, timeout: float) -> Permanent:
    return Permanent(
        "runs.step_timeout",
        f"The step {step_id} took longer than {timeout:g} seconds.",
        hint="Retry the run, or give the step more time: its own limit, else runs.step_timeout_seconds.",
    )
