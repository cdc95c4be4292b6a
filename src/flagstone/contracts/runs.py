"""Runs: the request, the definition that is executed, and what is seen of an execution."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, SecretStr

from flagstone.contracts.approvals import ApprovalRule
from flagstone.contracts.base import JSON, Wire

RunState = Literal["queued", "running", "waiting", "cancelling", "succeeded", "failed", "cancelled", "unknown"]
StepState = Literal["pending", "running", "waiting", "succeeded", "failed", "skipped", "cancelled", "unknown"]

ENDED: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})
"""States that a run never leaves by itself (a retry opens a failed or cancelled one again)."""


StepOutcome = Literal["done", "not_done"]
"""What a person says of a step whose outcome is unknown."""
WaitKind = Literal["approval", "input", "time", "poll"]
RunTrigger = Literal["manual", "schedule", "event", "batch"]
"""What started it; ``manual`` is a person or a machine that asked for this one run."""


class WaitView(Wire):
    """What a waiting step waits for. It costs a row, no process and no memory."""

    kind: WaitKind
    until: datetime | None = None
    """When it is woken without an answer: a timer, a look at something outside, the end of an approval."""
    message: str = ""
    """What is waited for, for people."""
    answer_schema: JSON = None
    """JSON Schema of the answer that is asked for (kind ``input``)."""
    approval_id: str = ""
    asked: tuple[str, ...] = ()
    """Who may answer: refs as in ``ApprovalRule.of``; empty means whoever may act on the run."""


class StepDefinition(Wire):
    """One step as written: nothing in it is evaluated yet (``input``, ``condition`` and ``each`` hold expressions)."""

    id: str
    name: str
    action: str
    input: dict[str, JSON] = Field(default_factory=dict)
    condition: JSON = None
    """The ``if`` of the template; None means always."""
    each: JSON = None
    timeout_seconds: float | None = None
    """Longest time of one attempt, waiting not counted; None means the setting ``runs.step_timeout_seconds``."""


class WorkflowDefinition(Wire):
    """What a run executes: it keeps exactly the version it started with."""

    name: str
    title: str
    template_ref: str | None = None
    version: str = ""
    """Digest or commit of the template."""
    base: str = ""
    """Where relative URLs of steps resolve: the location reference (``type:target``) of the template's file."""
    parameters: JSON = None
    """The JSON Schema page or pages; inputs are validated against them again by the platform."""
    secrets_schema: JSON = None
    """JSON Schema that the secrets of a run have to fit; what does not fit is told without its value."""
    steps: tuple[StepDefinition, ...]
    output: dict[str, JSON] = Field(default_factory=dict)
    entities: dict[str, JSON] = Field(default_factory=dict)
    """Entities that its steps ask for, by ref, as the catalog had them when the run was asked for.

    What they say is what the caller says: nothing is allowed because of it.
    """
    approvals: tuple[ApprovalRule, ...] = ()
    """Who must agree before the first step, because the template says so; policies may ask for more."""
    undo: Literal["never", "on_cancel", "on_failure"] = "never"
    """When finished steps are undone, last first: on a cancel that asks for it only, or also on failure."""


class RunRequest(Wire):
    """What the portal, the CLI or a machine asks for."""

    workflow: WorkflowDefinition
    inputs: dict[str, JSON] = Field(default_factory=dict)
    secrets: dict[str, SecretStr] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)
    """For a preview only: the files beside a template that is not registered yet, path to base64; the workflow's
    ``base`` is then ``inline:template.yaml``.
    """
    subjects: tuple[str, ...] = ()
    """Entity refs the run is about, as far as known before."""
    owner: str | None = None
    """Owner ref of what is acted upon; the owner may act on it."""
    plan_digest: str | None = None
    """When given, the run starts only if its plan still has this digest."""
    idempotency_key: str | None = None
    trigger: RunTrigger = "manual"
    triggered_by: str = ""
    """Id of the schedule, event trigger or batch."""
    rerun_of: str | None = None
    """Id of the run whose inputs this one began with."""


class RunLink(Wire):
    """A link in the output of a run: a URL or an entity ref."""

    title: str = ""
    url: str | None = None
    entity_ref: str | None = None
    icon: str | None = None


class StepView(Wire):
    """One step (one iteration of ``each`` is a step of its own, with id ``step[key]``)."""

    id: str
    index: int
    name: str
    action: str
    state: StepState
    attempt: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    inputs: dict[str, JSON] = Field(default_factory=dict)
    outputs: dict[str, JSON] = Field(default_factory=dict)
    error: dict[str, JSON] | None = None
    """problem+json of the failure."""
    wait: WaitView | None = None
    """What it waits for, in state ``waiting``."""
    undone: bool = False
    """Whether its side effect was taken back."""


class RunSummary(Wire):
    """A row of a list of runs."""

    id: str
    number: int
    title: str
    workflow: str
    template_ref: str | None = None
    template_version: str = ""
    """Digest or commit of the template that it keeps."""
    state: RunState
    actor: str
    actor_name: str
    actor_ref: str | None = None
    """The catalog User that the actor was matched with."""
    subjects: tuple[str, ...] = ()
    steps_total: int = 0
    steps_done: int = 0
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: dict[str, JSON] | None = None
    rerun_of: str | None = None
    trigger: RunTrigger = "manual"
    triggered_by: str = ""


class RunView(RunSummary):
    """A run, whole."""

    steps: tuple[StepView, ...] = ()
    inputs: dict[str, JSON] = Field(default_factory=dict)
    output: dict[str, JSON] = Field(default_factory=dict)
    links: tuple[RunLink, ...] = ()
    last_seq: int = 0
    """Sequence number of its newest event: start following after it."""


class RunEvent(Wire):
    """Something that happened in a run; ``seq`` counts from 1 within the run and is the cursor of a follower."""

    seq: int
    at: datetime
    type: Literal["log", "step", "run"]
    step: str = ""
    text: str = ""
    """A log line (may hold ANSI colours), without newline."""
    stream: Literal["out", "err", "info", "warn", "error"] = "out"
    state: str = ""
    """New state of the step or run."""
    data: dict[str, JSON] = Field(default_factory=dict)
