"""When the steps of a run were at work, and how two runs differ. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flagstone.contracts.runs import RunView, StepView
from flagstone.portal.self_service.model.runs import STEP_STATES, elapsed, run_word, step_name
from flagstone.toolkit.web.text import duration

_THINNEST = 0.6
"""Percent of the width that even the shortest step gets."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A step on the time line; ``start`` and ``width`` in percent of the whole run."""

    id: str
    name: str
    action: str
    state: str
    word: str
    start: float
    width: float
    duration: str
    after: str
    """How long after the start of the run it began."""
    attempts: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """All steps, and the whole length."""

    bars: tuple[Bar, ...]
    length: str


def timeline(run: RunView, now: datetime) -> Timeline:
    """Steps that began, in their order; nothing before the first one did."""
    begun = [step for step in run.steps if step.started_at is not None]
    if not begun or run.started_at is None:
        return Timeline((), "")
    first = min(run.started_at, *(step.started_at for step in begun if step.started_at))
    last = max((run.ended_at or now, *(step.ended_at or now for step in begun)))
    whole = max((last - first).total_seconds(), 0.001)
    return Timeline(tuple(_bar(step, first, whole, now) for step in begun), duration(whole))


def _bar(step: StepView, first: datetime, whole: float, now: datetime) -> Bar:
    began = step.started_at or first
    offset = (began - first).total_seconds()
    length = max(0.0, ((step.ended_at or now) - began).total_seconds())
    start = min(100 - _THINNEST, 100 * offset / whole)
    return Bar(
        id=step.id,
        name=step_name(step.id, step.name),
        action=step.action,
        state=STEP_STATES.get(step.state, "waiting"),
        word=step.state.capitalize(),
        start=round(start, 2),
        width=round(min(100 - start, max(_THINNEST, 100 * length / whole)), 2),
        duration=duration(length),
        after=duration(offset),
        attempts=step.attempt,
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """One step, or the run itself, in both runs; texts are JSON."""

    title: str
    one: str
    other: str
    before: str
    after: str

    @property
    def same(self) -> bool:
        """Whether nothing differs but the time it took."""
        return self.before == self.after


def compare(one: RunView, other: RunView, now: datetime) -> tuple[Difference, ...]:
    """The answers, every step of either, and the output; in order."""
    found = [
        Difference("The run", _words(one, now), _words(other, now), _json(_about(one)), _json(_about(other))),
        Difference("Answers", "", "", _json(one.inputs), _json(other.inputs)),
    ]
    mine, theirs = ({step.id: step for step in run.steps} for run in (one, other))
    for step_id in [*mine, *(key for key in theirs if key not in mine)]:
        left, right = mine.get(step_id), theirs.get(step_id)
        step = left or right
        title = step_name(step_id, step.name) if step else step_id
        found.append(Difference(title, _step_words(left), _step_words(right), _json(_body(left)), _json(_body(right))))
    found.append(Difference("Output", "", "", _json(one.output), _json(other.output)))
    return tuple(found)


def _words(run: RunView, now: datetime) -> str:
    return ", ".join(part for part in (run_word(run.state), elapsed(run, now)) if part)


def _about(run: RunView) -> dict[str, Any]:
    return {"title": run.title, "template": run.template_ref, "state": run.state, "by": run.actor_name}


def _step_words(step: StepView | None) -> str:
    if step is None:
        return "not in this run"
    took = ""
    if step.started_at and step.ended_at:
        took = duration((step.ended_at - step.started_at).total_seconds())
    tries = f"attempt {step.attempt}" if step.attempt > 1 else ""
    return ", ".join(part for part in (step.state.capitalize(), took, tries) if part)


def _body(step: StepView | None) -> dict[str, Any]:
    if step is None:
        return {}
    error = {key: step.error.get(key) for key in ("code", "detail")} if step.error else None
    whole = {"action": step.action, "state": step.state, "inputs": step.inputs, "outputs": step.outputs, "error": error}
    return {key: value for key, value in whole.items() if value not in (None, {}, "")}


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=str) if value else ""
