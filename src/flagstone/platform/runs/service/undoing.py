"""Taking back what the steps of a run did, the last one first.

Each step that was taken back says so in a transaction of its own, so that a process that is killed goes on with the
next one.
An ``undo`` that was cut off is done again: actions that offer one make it harmless to repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flagstone.contracts.runs import StepDefinition
from flagstone.kernel.errors import FlagstoneError, Permanent
from flagstone.platform.runs.model import StepRecord
from flagstone.platform.runs.service.expressions import Scope
from flagstone.platform.runs.service.recording import ActiveRun, Interrupted, Recorder
from flagstone.platform.runs.service.steps import StepRunner

ScopeOf = Callable[[StepRecord], Scope]


def wants_undo(active: ActiveRun, state: str, *, asked: bool) -> bool:
    """Whether a run that ends in this state is to be taken back."""
    policy = active.record.workflow.undo
    if state == "failed":
        return asked or policy == "on_failure"
    return state == "cancelled" and (asked or policy in ("on_cancel", "on_failure"))


class Undoer:
    """Takes back the steps of a run that has come to its end."""

    def __init__(self, recorder: Recorder, runner: StepRunner, stopping: Callable[[], float | None]) -> None:
        self._recorder = recorder
        self._runner = runner
        self._stopping = stopping

    def undo(self, active: ActiveRun, steps: tuple[StepRecord, ...], scope: ScopeOf) -> dict[str, Any] | None:
        """Everything that can be taken back; returns the first failure, as problem+json. Raises Interrupted."""
        first: dict[str, Any] | None = None
        for step in reversed(steps):
            if step.state != "succeeded" or step.undone:
                continue
            if self._stopping() is not None:
                raise Interrupted("the server stops")
            definition = active.record.workflow.steps[step.index]
            try:
                text = self._one(active, step, definition, scope(step))
            except FlagstoneError as error:
                first = first or self._failed(active, step, error)
            except Interrupted:
                raise
            except Exception as error:  # noqa: BLE001  whatever an action's undo raises is told, and the others go on
                cause = Permanent("runs.undo_crashed", f"{type(error).__name__}: {error}")
                first = first or self._failed(active, step, cause)
            else:
                self._note(active, step, text)
        return first

    def _one(self, active: ActiveRun, step: StepRecord, definition: StepDefinition, scope: Scope) -> str:
        if not self._runner.can_undo(step.action):
            return ""
        self._runner.undo(active, step, definition, scope)
        return "Taken back."

    def _note(self, active: ActiveRun, step: StepRecord, text: str) -> None:
        if not text:
            active.book.write(step.id, f"{step.action} has no undo: what it did stays.", "warn")
            self._recorder.commit(active, [])
            return
        active.book.write(step.id, text, "info")
        event = self._recorder.step_event(step, "succeeded", undone=True)
        self._recorder.commit(active, [event], step=step.id, undone=True)

    def _failed(self, active: ActiveRun, step: StepRecord, error: FlagstoneError) -> dict[str, Any]:
        told = Permanent(
            "runs.undo_failed",
            f"The step {step.id} could not be taken back: {error}",
            hint="Look at what it did and mend it by hand, or cancel the run with undo again to try once more.",
        )
        active.book.write(step.id, str(told), "error")
        return active.problem(told)
