"""Events of a run as server-sent events for ``<run-log>``, and as plain text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from flagstone.contracts.deployments import LogLine
from flagstone.contracts.runs import RunEvent, RunView
from flagstone.portal.self_service.model.runs import (
    ACTIVE,
    STEP_ENDED,
    STEP_STATES,
    percent,
    run_dot,
    run_word,
    step_name,
)
from flagstone.toolkit.web.text import duration

PING = ": ping\n\n"
END = "event: end\ndata: {}\n\n"
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_COLOURS = {"err": "\x1b[31m", "error": "\x1b[31m", "warn": "\x1b[33m"}


def frame(kind: str, data: dict[str, Any], cursor: int | str | None = None) -> str:
    """One event of the stream."""
    ident = f"id: {cursor}\n" if cursor is not None else ""
    return f"{ident}event: {kind}\ndata: {json.dumps(data, separators=(',', ':'), ensure_ascii=False)}\n\n"


class Frames:
    """Turns the events of one run into frames; keeps what they do not say: when a step began, how many are done."""

    def __init__(self, run: RunView) -> None:
        self._started: dict[str, datetime] = {step.id: step.started_at for step in run.steps if step.started_at}
        self._states = {step.id: step.state for step in run.steps}
        self._total = max(run.steps_total, len(run.steps))

    def of(self, event: RunEvent) -> str:
        """The frame of an event."""
        if event.type == "log":
            return frame("log", self._line(event), event.seq)
        if event.type == "step":
            return frame("step", self._step(event), event.seq) + frame("state", {"progress": self._progress()})
        return frame("state", {"state": run_dot(event.state), "word": run_word(event.state)}, event.seq)

    def _line(self, event: RunEvent) -> dict[str, Any]:
        colour = _COLOURS.get(event.stream, "")
        text = f"{colour}{event.text}\x1b[0m" if colour and "\x1b" not in event.text else event.text
        return {"n": event.seq, "step": event.step, "time": event.at.strftime("%H:%M:%S"), "text": text}

    def _step(self, event: RunEvent) -> dict[str, Any]:
        self._states[event.step] = event.state  # type: ignore[assignment]
        data: dict[str, Any] = {"id": event.step, "state": STEP_STATES.get(event.state, "waiting")}
        if event.state == "running":
            self._started[event.step] = event.at
            data["duration"] = ""
        elif event.state in STEP_ENDED and event.step in self._started:
            data["duration"] = duration(max(0.0, (event.at - self._started[event.step]).total_seconds()))
        # Also for steps that are known here: the page may have been drawn before they were.
        data["title"] = step_name(event.step, str(event.data.get("name") or event.step))
        data["note"] = str(event.data.get("action") or "")
        return data

    def _progress(self) -> int:
        done = sum(state in STEP_ENDED for state in self._states.values())
        return round(100 * done / max(self._total, len(self._states), 1))


def state_frame(run: RunView, now: datetime) -> str:
    """Where a run stands as a whole."""
    data: dict[str, Any] = {
        "state": run_dot(run.state),
        "word": run_word(run.state),
        "progress": percent(run),
        "done": run.state not in ACTIVE,
    }
    if run.started_at is not None and run.state in ACTIVE:
        data["elapsed"] = round((now - run.started_at).total_seconds(), 1)
    return frame("state", data)


def line_frame(line: LogLine, number: int) -> str:
    """One line of a workload's log. Its cursor says nothing to people, so lines are counted as they are shown.

    The id of the event holds both, so that a reader who comes back goes on counting.
    """
    text = f"\x1b[36m{line.text}\x1b[0m" if line.stream == "runtime" else line.text
    time = line.at.strftime("%H:%M:%S") if line.at else ""
    return frame("log", {"n": number, "step": "Output", "time": time, "text": text}, f"{line.seq}.{number}")


def plain_text(events: Iterable[RunEvent]) -> str:
    """Log lines without colours: time, step, text."""
    lines = [
        f"{event.at:%Y-%m-%dT%H:%M:%SZ} [{event.step}] {_ESCAPES.sub('', event.text)}\n"
        for event in events
        if event.type == "log"
    ]
    return "".join(lines)
