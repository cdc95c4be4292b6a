"""A run in words: state, progress, times, errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flagstone.contracts.runs import RunSummary, RunView, StepView
from flagstone.toolkit.web.text import duration

ACTIVE = ("queued", "running", "waiting", "cancelling")
"""States of a run that goes on."""
_DOTS = {
    "queued": "unknown",
    "running": "progress",
    "waiting": "progress",
    "cancelling": "progress",
    "succeeded": "healthy",
    "failed": "down",
    "cancelled": "unknown",
    "unknown": "degraded",
}
_WORDS = {
    "queued": "Queued",
    "running": "Running",
    "waiting": "Waiting",
    "cancelling": "Cancelling",
    "succeeded": "Succeeded",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "unknown": "Needs a decision",
}
STEP_STATES = {
    "pending": "waiting",
    "running": "running",
    "waiting": "running",
    "succeeded": "succeeded",
    "failed": "failed",
    "skipped": "skipped",
    "cancelled": "cancelled",
    "unknown": "failed",
}
"""State of a step to the state that the log draws."""
_LAST_LINES = 20
_PATIENCE = 3.0
"""Seconds in the queue that nobody needs to be told of."""
STEP_ENDED = frozenset({"succeeded", "failed", "skipped", "cancelled"})


def run_dot(state: str) -> str:
    """The sign that stands for a state."""
    return _DOTS.get(state, "unknown")


def run_word(state: str) -> str:
    """A state in a word."""
    return _WORDS.get(state, state.capitalize())


@dataclass(frozen=True, slots=True)
class RunError:
    """What went wrong, for people."""

    message: str
    hint: str = ""
    code: str = ""
    problems: tuple[str, ...] = ()
    step: str = ""
    last_log: str = ""
    """The last lines of what failed."""


@dataclass(frozen=True, slots=True)
class StepFacts:
    """A step as its row and its details show it."""

    id: str
    name: str
    action: str
    state: str
    word: str
    duration: str
    attempt: int
    inputs: str
    """As JSON, to be read; "" for none."""
    outputs: str
    error: RunError | None
    undone: bool = False


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run as its page shows it."""

    dot: str
    word: str
    active: bool
    percent: int
    elapsed: str
    steps: tuple[StepFacts, ...]
    error: RunError | None
    inputs: str
    """As JSON, to be read."""
    waits_for: str
    """Why nothing happens at the moment, if so."""


def read_run(run: RunView, now: datetime) -> RunFacts:
    """Put a run into words."""
    steps = tuple(_step(step, now) for step in run.steps)
    failed = next((step for step in steps if step.error is not None), None)
    error = _error(run.error, failed.name if failed else "") if run.error else (failed.error if failed else None)
    return RunFacts(
        dot=run_dot(run.state),
        word=run_word(run.state),
        active=run.state in ACTIVE,
        percent=percent(run),
        elapsed=elapsed(run, now),
        steps=steps,
        error=error if run.state in ("failed", "cancelled", "unknown") else None,
        inputs=pretty(run.inputs),
        waits_for=_waits_for(run, now),
    )


def percent(run: RunSummary) -> int:
    """How much of it is done, 0 to 100."""
    if run.state == "succeeded":
        return 100
    return round(100 * run.steps_done / run.steps_total) if run.steps_total else 0


def elapsed(run: RunSummary, now: datetime) -> str:
    """How long it took or has been going on."""
    if run.started_at is None:
        return ""
    return duration(max(0.0, ((run.ended_at or now) - run.started_at).total_seconds()))


def step_name(ident: str, name: str) -> str:
    """The name of a step; turns of an ``each`` are told apart by their key."""
    _, bracket, key = ident.partition("[")
    return f"{name} [{key}" if bracket and key.endswith("]") else name


def _step(step: StepView, now: datetime) -> StepFacts:
    length = ""
    if step.started_at is not None and (step.ended_at is not None or step.state == "running"):
        length = duration(max(0.0, ((step.ended_at or now) - step.started_at).total_seconds()))
    return StepFacts(
        id=step.id,
        name=step_name(step.id, step.name),
        action=step.action,
        state=STEP_STATES.get(step.state, "waiting"),
        word=step.state.capitalize(),
        duration=length,
        attempt=step.attempt,
        inputs=pretty(step.inputs),
        outputs=pretty(step.outputs),
        error=_error(step.error, step.name) if step.error else None,
        undone=step.undone,
    )


def pretty(values: Mapping[str, Any]) -> str:
    """JSON for people; "" for nothing."""
    return json.dumps(values, indent=2, ensure_ascii=False) if values else ""


def _error(body: Mapping[str, Any], step: str) -> RunError:
    problems, lines = body.get("problems"), body.get("last_log")
    return RunError(
        message=str(body.get("detail") or body.get("title") or "It failed."),
        hint=str(body.get("hint") or ""),
        code=str(body.get("code") or ""),
        problems=tuple(_problem(item) for item in problems) if isinstance(problems, list) else (),
        step=step,
        last_log="\n".join(str(line) for line in lines[-_LAST_LINES:]) if isinstance(lines, list) else "",
    )


def _problem(item: Any) -> str:
    if not isinstance(item, Mapping):
        return str(item)
    where = ":".join(str(item[key]) for key in ("file", "line") if item.get(key) is not None)
    text = str(item.get("message") or "")
    place = " ".join(part for part in (where, str(item.get("field") or "")) if part)
    return f"{place}: {text}" if place else text


def _waits_for(run: RunView, now: datetime) -> str:
    if run.state == "queued":
        waited = (now - run.created_at).total_seconds()
        return (
            "" if waited < _PATIENCE else f"It waits for a free worker, since {duration(waited)}. It starts by itself."
        )
    if run.state == "waiting":
        if any(step.wait is not None and step.wait.kind in ("approval", "input") for step in run.steps):
            return ""  # The page says who is asked for what.
        return "It waits for something outside, and goes on by itself."
    if run.state == "unknown":
        return (
            "The server stopped in the middle of a step, and whether it took effect cannot be told. Look, then retry."
        )
    return ""
