"""What is remembered of a run that made something, and the run that upgrades it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flagstone.contracts.runs import RunView, StepDefinition, StepView, WorkflowDefinition
from flagstone.kernel.errors import Invalid

PUBLISH = "publish:git"
UPGRADE = "flagstone:repository:upgrade"
_WITHOUT = frozenset({"flagstone:approval", "flagstone:notify"})
_KINDS = frozenset({"component", "resource", "api", "system"})


@dataclass(frozen=True, slots=True)
class Pending:
    """An upgrade whose change request is open."""

    number: int
    version: str
    inputs: Mapping[str, Any]
    commit: str
    run_number: int
    conflicts: int = 0


@dataclass(frozen=True, slots=True)
class Memory:
    """Which template made an entity. ``commit`` holds what the template gave, at first or with the last upgrade."""

    entity_ref: str
    template_ref: str
    version: str
    inputs: Mapping[str, Any]
    repository: str
    commit: str
    run_number: int
    made_at: datetime
    pending: Pending | None = None


@dataclass(frozen=True, slots=True)
class Proposed:
    """What a run of an upgrade did. ``number`` None: the repository held everything already."""

    repository: str
    number: int | None
    version: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    commit: str = ""
    run_number: int = 0
    conflicts: int = 0

    @property
    def pending(self) -> Pending:
        """As it is kept until the change request ends."""
        return Pending(self.number or 0, self.version, self.inputs, self.commit, self.run_number, self.conflicts)


def memories_of(run: RunView) -> list[Memory]:
    """What a run of a golden path made in the built-in hosting; none for any other run."""
    step = _done(run, PUBLISH)
    if step is None or run.template_ref is None or not run.template_version:
        return []
    repository, commit = step.outputs.get("repository"), step.outputs.get("commitHash")
    if not isinstance(repository, str) or not isinstance(commit, str) or not commit:
        return []
    refs = sorted(ref for ref in run.subjects if ref.partition(":")[0] in _KINDS)
    return [
        Memory(
            entity_ref=ref,
            template_ref=run.template_ref,
            version=run.template_version,
            inputs=dict(run.inputs),
            repository=repository,
            commit=commit,
            run_number=run.number,
            made_at=run.created_at,
        )
        for ref in refs
    ]


def proposed_by(run: RunView) -> Proposed | None:
    """What a run proposed as an upgrade; None for any other run."""
    step = _done(run, UPGRADE)
    if step is None:
        return None
    number, commit, conflicts = (step.outputs.get(key) for key in ("pullRequestNumber", "renderedCommit", "conflicts"))
    return Proposed(
        repository=str(step.inputs.get("repository", "")),
        number=number if isinstance(number, int) else None,
        version=run.template_version,
        inputs=dict(run.inputs),
        commit=str(commit or ""),
        run_number=run.number,
        conflicts=len(conflicts) if isinstance(conflicts, list) else 0,
    )


def _done(run: RunView, action: str) -> StepView | None:
    return next((step for step in run.steps if step.action == action and step.state == "succeeded"), None)


def upgrade_workflow(definition: WorkflowDefinition, memory: Memory, title: str, text: str) -> WorkflowDefinition:
    """The definition of an upgrade: the steps of the template up to the one that publishes, then the merge.

    Steps that ask or tell people are left out. Raises Invalid when the template does not publish to the built-in
    hosting any more.
    """
    steps = list(definition.steps)
    at = next((number for number, step in enumerate(steps) if step.action == PUBLISH), None)
    if at is None:
        raise Invalid(
            "upgrades.nothing_published",
            f"The current version of {definition.template_ref} has no step {PUBLISH}.",
            hint="Only what golden paths publish to the built-in git hosting can be upgraded.",
        )
    kept = [step for step in steps[:at] if step.action not in _WITHOUT]
    taken = {step.id for step in kept}
    ident = next(name for name in ("upgrade", "propose-upgrade", "flagstone-upgrade") if name not in taken)
    inputs: dict[str, Any] = {
        "repository": memory.repository,
        "baseCommit": memory.commit,
        "branchName": f"upgrade/{definition.name}",
        "title": title,
        "description": text,
    }
    source = steps[at].input.get("sourcePath")
    if source is not None:
        inputs["sourcePath"] = source
    merge = StepDefinition(id=ident, name="Propose the upgrade", action=UPGRADE, input=inputs)
    link = f"${{{{ steps['{ident}'].output.remoteUrl }}}}"
    links = [
        {"title": "Open the change request", "url": link, "if": link},
        {"title": "Open in the catalog", "entityRef": memory.entity_ref},
    ]
    return definition.model_copy(
        update={"title": title, "steps": (*kept, merge), "output": {"links": links}, "approvals": ()}
    )
