"""Runs as values: what is stored of an execution. No I/O."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from flagstone.contracts.runs import (
    ENDED,
    RunLink,
    RunState,
    RunSummary,
    RunTrigger,
    RunView,
    StepState,
    StepView,
    WaitKind,
    WaitView,
    WorkflowDefinition,
)
from flagstone.kernel.actor import Principal

STEP_ENDED: frozenset[str] = frozenset({"succeeded", "failed", "skipped", "cancelled", "unknown"})
STEP_BROKEN: frozenset[str] = frozenset({"failed", "cancelled", "unknown"})
"""States of a step from which a retry goes on."""
RETRYABLE: frozenset[str] = frozenset({"failed", "cancelled", "unknown"})
"""States of a run in which it may be retried."""
SETTLED: frozenset[str] = ENDED | {"unknown"}
"""States in which nothing happens until a person acts."""

IntentState = Literal["open", "done", "failed", "released"]


Place = Literal["", "server"]
"""Where a run is executed: anywhere, or only by a process that serves."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One execution of a run, as the engine is to start it."""

    run_id: str
    number: int
    place: Place = ""

    @property
    def execution(self) -> str:
        """The engine's name of it."""
        return execution_id(self.run_id, self.number)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as stored."""

    id: str
    number: int
    title: str
    workflow: WorkflowDefinition
    inputs: Mapping[str, Any]
    secrets: tuple[str, ...]
    """Names only; the values lie in the vault."""
    state: RunState
    principal: Principal
    owner: str | None
    error: Mapping[str, Any] | None
    output: Mapping[str, Any]
    steps_total: int
    steps_done: int
    dispatch: int
    """Grows with each (re)start; with the id it names one execution of the engine."""
    fence: int
    """Grows with each executor that takes the run; writes with an older one are refused."""
    last_seq: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    subjects: tuple[str, ...] = ()
    trigger: RunTrigger = "manual"
    triggered_by: str = ""
    rerun_of: str | None = None
    undo: bool = False
    """Whether who cancelled it asked to take back what it did."""
    worker: str = ""
    """Name of the worker that has it, or had it last."""
    place: Place = ""
    log_bytes: int = 0
    """Size of its log over all its executions."""

    def summary(self) -> RunSummary:
        """The row of a list."""
        return RunSummary.model_validate(self._members())

    def view(self, steps: tuple[StepRecord, ...], waits: Mapping[str, Wait] = {}) -> RunView:
        """The whole run."""
        links = self.output.get("links")
        return RunView.model_validate(
            {
                **self._members(),
                "steps": tuple(step.view(waits.get(step.id)) for step in steps),
                "inputs": dict(self.inputs),
                "output": dict(self.output),
                "links": tuple(to_link(item) for item in links if isinstance(item, dict))
                if isinstance(links, list)
                else (),
                "last_seq": self.last_seq,
            }
        )

    def _members(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "number": self.number,
            "title": self.title,
            "workflow": self.workflow.name,
            "template_ref": self.workflow.template_ref,
            "template_version": self.workflow.version,
            "state": self.state,
            "actor": self.principal.id,
            "actor_name": self.principal.name,
            "actor_ref": self.principal.entity_ref,
            "subjects": self.subjects,
            "steps_total": self.steps_total,
            "steps_done": self.steps_done,
            "created_at": self.created_at,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "error": self.error,
            "trigger": self.trigger,
            "triggered_by": self.triggered_by,
            "rerun_of": self.rerun_of,
        }


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step, or one turn of a step with ``each``, as stored. ``index`` is its place in the workflow."""

    id: str
    index: int
    name: str
    action: str
    turn: int = 0
    key: str | None = None
    """The key of this turn; None for a step without ``each``, or one that was not expanded yet."""
    value: Any = None
    state: StepState = "pending"
    attempt: int = 0
    deaths: int = 0
    """How often the process died in it."""
    scope: int = 0
    """Grows when a finished step is to be done again: its side effect is a new one then."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    undone: bool = False

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do for it."""
        return self.state in STEP_ENDED

    def view(self, wait: Wait | None = None) -> StepView:
        """What is seen of it."""
        return StepView(
            id=self.id,
            index=self.index,
            name=self.name,
            action=self.action,
            state=self.state,
            attempt=self.attempt,
            started_at=self.started_at,
            ended_at=self.ended_at,
            inputs=dict(self.inputs),
            outputs=dict(self.outputs),
            error=dict(self.error) if self.error is not None else None,
            undone=self.undone,
            wait=wait.view() if wait is not None and self.state == "waiting" else None,
        )


WaitReason = Literal["", "retry", "credential"]
"""Why a step waits: its action said so, or it failed in a way that may pass, or that a person can mend."""


@dataclass(frozen=True, slots=True)
class Wait:
    """What a step waits for. ``state``: ``open``, ``answered``, or ``due`` when its time has come."""

    run_id: str
    step_id: str
    kind: WaitKind
    message: str
    until: datetime | None = None
    schema: Any = None
    asked: tuple[str, ...] = ()
    approval_id: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    answer: Mapping[str, Any] | None = None
    state: str = "open"
    reason: WaitReason = ""

    def view(self) -> WaitView:
        """What is seen of it; what the action remembers is its own matter."""
        return WaitView(
            kind=self.kind,
            until=self.until,
            message=self.message,
            answer_schema=self.schema,
            approval_id=self.approval_id,
            asked=self.asked,
        )


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """A process that executes runs. ``session`` tells two lives of one name apart."""

    name: str
    session: str
    state: str
    host: str
    process: int
    concurrency: int
    lease_seconds: float
    started_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Intent:
    """Written before a side effect, so that a recovery knows that it may have happened."""

    step_key: str
    run_id: str
    step_id: str
    kind: str
    digest: str
    state: IntentState = "open"
    outputs: Mapping[str, Any] = field(default_factory=dict)


def canonical(value: Any) -> str:
    """One text for equal JSON values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def digest(value: Any) -> str:
    """SHA-256 over the canonical text."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def step_key(run_id: str, step_id: str, scope: int, inputs: Any) -> str:
    """The idempotency key of a step's side effect: the same over crashes and retries with the same inputs."""
    return digest([run_id, step_id, scope, inputs])


def execution_id(run_id: str, dispatch: int) -> str:
    """The engine's name of one execution: starting it twice is harmless."""
    return f"{run_id}.{dispatch}"


def to_link(item: Mapping[str, Any]) -> RunLink:
    """A link of a run's output; ``entityRef`` is Backstage's spelling."""
    texts = {key: str(item[key]) for key in ("title", "url", "icon") if item.get(key)}
    ref = item.get("entityRef") or item.get("entity_ref")
    return RunLink(entity_ref=str(ref) if ref else None, title=texts.pop("title", ""), **texts)
