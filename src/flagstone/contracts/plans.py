"""The plan (change set): what a run would do, shown before anything is written."""

from __future__ import annotations

import hashlib
from typing import Literal

from pydantic import Field

from flagstone.contracts.approvals import ApprovalRule
from flagstone.contracts.base import JSON, Wire
from flagstone.contracts.policy import Verdict

ChangeOp = Literal["create", "change", "delete", "run", "none"]
FileOp = Literal["create", "change", "delete", "none"]
ChangeKind = Literal[
    "file", "repository", "entity", "location", "release", "deployment", "workload", "environment", "resource", "other"
]


class Change(Wire):
    """One thing that a step would create, change or delete."""

    kind: ChangeKind
    op: ChangeOp
    subject: str
    """What it is about: an entity ref, a repository, an environment and workload."""
    detail: str = ""
    facts: dict[str, str] = Field(default_factory=dict)
    """Short labelled facts for people: ``{"Command": "python app.py", "Port": "assigned at start"}``."""


class PlannedFile(Wire):
    """A file that a step would write. ``text`` is None for binary or very large files.

    ``before`` is what is there now, of a file that exists already.
    """

    path: str
    op: Literal["create", "change", "delete"] = "create"
    text: str | None = None
    before: str | None = None
    size: int = 0
    executable: bool = False
    step: str = ""


class PlannedStep(Wire):
    """What one step would do."""

    id: str
    name: str
    action: str
    skipped: bool = False
    """True when its condition is false with these inputs."""
    summary: str = ""
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    """What cannot be known before the run, said in words."""
    inputs: dict[str, JSON] = Field(default_factory=dict)
    """What the action would be given, with secrets masked; empty when it is not known yet."""
    outputs: dict[str, JSON] = Field(default_factory=dict)
    """What it would give, as far as that can be foretold."""
    permission: str = ""
    allowed: bool = True
    reason: str = ""
    """Why it is not allowed, and who may."""
    undo: bool = False
    """Whether the action can take its side effect back."""


class Plan(Wire):
    """The change set of a whole run. An approval is bound to :attr:`digest`."""

    title: str
    steps: tuple[PlannedStep, ...] = ()
    files: tuple[PlannedFile, ...] = ()
    output: dict[str, JSON] = Field(default_factory=dict)
    """The output of the run (links, text and others), as far as it can be foretold."""
    problems: tuple[str, ...] = ()
    """Faults that would make the run fail; a plan with problems cannot be started."""
    verdicts: tuple[Verdict, ...] = ()
    """What the policies say."""
    approvals: tuple[ApprovalRule, ...] = ()
    """Who must agree before the first step begins."""
    cost: str = ""
    """Estimated monthly cost in words when an action knows it, such as ``12.50 USD a month``."""
    complete: bool = True
    """False when some step could not be previewed; its notes say why."""
    allowed: bool = True
    digest: str = ""

    def sealed(self) -> Plan:
        """The same plan with its digest filled in: SHA-256 over everything else."""
        body = self.model_copy(update={"digest": ""}).model_dump_json()
        return self.model_copy(update={"digest": hashlib.sha256(body.encode()).hexdigest()})
