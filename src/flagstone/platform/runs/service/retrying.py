"""Which steps a retry does again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from flagstone.kernel.errors import Conflict, Invalid, Problem
from flagstone.platform.runs.model import STEP_BROKEN, RunRecord, StepRecord

_DONE = frozenset({"succeeded", "skipped"})


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """The steps to be put back, by index, with the rows they get.

    ``released``: their outcome is unknown, they are done again. ``taken_as_done``: the person goes on after them.
    """

    rows: dict[int, list[StepRecord]]
    released: tuple[str, ...]
    taken_as_done: tuple[StepRecord, ...]


def plan_retry(run: RunRecord, steps: Sequence[StepRecord], from_step: str | None) -> RetryPlan:
    """What a retry puts back: the step it goes on from, and all after it.

    Raises Invalid when ``from_step`` is unknown or comes after the first step that did not succeed, Conflict when there
    is nothing to go on from.
    """
    start = _start(run, steps, from_step)
    whole = from_step is not None and start.id != from_step
    rows: dict[int, list[StepRecord]] = {}
    for index, definition in enumerate(run.workflow.steps):
        if index < start.index:
            continue
        mine = [step for step in steps if step.index == index]
        if not mine:
            continue
        if definition.each is not None and (index > start.index or whole):
            scope = max(step.scope for step in mine) + 1
            rows[index] = [_fresh(mine[0], id=definition.id, turn=0, key=None, value=None, scope=scope)]
            continue
        rows[index] = [_again(step) if (step.index, step.turn) >= (start.index, start.turn) else step for step in mine]
    unknown = [step for step in steps if step.state == "unknown"]
    before = tuple(step for step in unknown if (step.index, step.turn) < (start.index, start.turn))
    return RetryPlan(rows, tuple(step.id for step in unknown if step not in before), before)


def _start(run: RunRecord, steps: Sequence[StepRecord], from_step: str | None) -> StepRecord:
    broken = next((step for step in steps if step.state in STEP_BROKEN or step.state not in _DONE or step.undone), None)
    if from_step is None:
        if broken is None:
            # Everything was done and still the run failed: its output could not be made.
            if not steps:
                raise Conflict("runs.nothing_to_retry", f"Run {run.number} has no step to go on from.")
            return steps[-1]
        return broken
    definition = next((step for step in run.workflow.steps if step.id == from_step), None)
    found = next((step for step in steps if step.id == from_step), None)
    if found is None and definition is not None:
        index = run.workflow.steps.index(definition)
        found = next((step for step in steps if step.index == index), None)
    if found is None:
        known = ", ".join(step.id for step in steps)
        raise Invalid(
            "runs.unknown_step",
            f"Run {run.number} has no step {from_step!r}.",
            problems=[Problem(f"the steps are: {known}", field="from_step")],
        )
    if broken is not None and (broken.index, broken.turn) < (found.index, found.turn) and broken.state != "unknown":
        raise Invalid(
            "runs.step_not_reached",
            f"Run {run.number} cannot go on from {from_step!r}: the step {broken.id!r} before it did not succeed.",
            hint=f"Retry from {broken.id!r} or from a step before it.",
        )
    return found


def _again(step: StepRecord) -> StepRecord:
    # What had succeeded is done anew: with another scope its side effect is a new one. What failed keeps its key, so
    # that whatever it had done before it failed is found.
    return _fresh(step, scope=step.scope + 1 if step.state == "succeeded" else step.scope, attempt=step.attempt)


def _fresh(step: StepRecord, **changes: Any) -> StepRecord:
    base = StepRecord(step.id, step.index, step.name, step.action, step.turn, step.key, step.value, scope=step.scope)
    return replace(base, **changes)
