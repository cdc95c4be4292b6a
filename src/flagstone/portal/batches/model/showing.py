"""States and progress of a batch as pages show them."""

from __future__ import annotations

from dataclasses import dataclass

from flagstone.contracts.batches import BatchCounts

_DOTS = {
    "running": "progress",
    "cancelling": "progress",
    "starting": "progress",
    "waiting": "degraded",
    "unknown": "degraded",
    "stopped": "degraded",
    "succeeded": "healthy",
    "failed": "down",
}
_WORDS = {
    "pending": "Not started",
    "starting": "Starting",
    "waiting": "Waiting for somebody",
    "unknown": "Needs a decision",
    "skipped": "Left out",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of the bar that shows how far a batch is, in percent."""

    state: str
    start: float
    width: float


def dot_of(state: str) -> str:
    """The sign that stands for a state of a batch or of one of its entities."""
    return _DOTS.get(state, "unknown")


def word_of(state: str) -> str:
    """A state in words."""
    return _WORDS.get(state, state.capitalize())


def bars(counts: BatchCounts) -> tuple[Bar, ...]:
    """How far a batch is: what succeeded, failed, was left out, and what is going on."""
    parts = (
        ("succeeded", counts.succeeded),
        ("failed", counts.failed),
        ("left", counts.cancelled + counts.skipped),
        ("running", counts.active),
    )
    found: list[Bar] = []
    done = 0
    for state, number in parts:
        if number:
            found.append(Bar(state, round(100 * done / counts.total, 2), round(100 * number / counts.total, 2)))
        done += number
    return tuple(found)
