"""What is remembered of a run that made something, and the run that upgrades it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from flagstone.contracts.runs import ENDED, RunView, StepDefinition, StepView, WorkflowDefinition
from flagstone.kernel.errors import Invalid

PUBLISH = "publish:git"
UPGRADE = "flagstone:repository:upgrade"
GITHUB_PUBLISH = ("publish:github", "github:repo:push")
GITHUB_UPGRADE = "flagstone:github:upgrade"
GITHUB_FOLLOW = "flagstone:github:pull-request"
_GITHUB = ("publish:github", "github:")
"""Steps that change something on GitHub: an upgrade does not do them again."""
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
    url: str = ""
    """Its page, where it is not one of ours."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Which template made an entity. ``commit`` holds what the template gave, at first or with the last upgrade.

    ``repository`` is ``project/name`` in the built-in hosting, ``host?owner=…&repo=…`` on GitHub.
    """

    entity_ref: str
    template_ref: str
    version: str
    inputs: Mapping[str, Any]
    repository: str
    commit: str
    run_number: int
    made_at: datetime
    pending: Pending | None = None

    @property
    def elsewhere(self) -> bool:
        """Whether the repository is on another server."""
        return "?" in self.repository

    @property
    def place(self) -> str:
        """The repository for people: ``host/owner/name`` on another server."""
        host, _, query = self.repository.partition("?")
        parts = dict(parse_qsl(query))
        return f"{host}/{parts.get('owner', '')}/{parts.get('repo', '')}" if query else host

    @property
    def href(self) -> str:
        """Its page."""
        return f"https://{self.place}" if self.elsewhere else f"/repositories/{self.repository}"


@dataclass(frozen=True, slots=True)
class Proposed:
    """What a run of an upgrade did. ``number`` None: the repository held everything already.

    ``ended`` tells of a change on another server whether it was merged; None: it is open, or ours tells by events.
    """

    repository: str
    number: int | None
    version: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    commit: str = ""
    run_number: int = 0
    conflicts: int = 0
    url: str = ""
    ended: bool | None = None

    @property
    def pending(self) -> Pending:
        """As it is kept until the change request ends."""
        return Pending(
            self.number or 0, self.version, self.inputs, self.commit, self.run_number, self.conflicts, self.url
        )


def memories_of(run: RunView) -> list[Memory]:
    """What a run of a golden path published in the built-in hosting or on GitHub; none for any other run."""
    step = _done(run, PUBLISH, *GITHUB_PUBLISH)
    if step is None or run.template_ref is None or not run.template_version:
        return []
    commit = step.outputs.get("commitHash")
    repository = step.outputs.get("repository") if step.action == PUBLISH else _plain(step.inputs.get("repoUrl"))
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
    step = _done(run, UPGRADE, GITHUB_UPGRADE)
    if step is None:
        return None
    hosted = step.action == UPGRADE
    number, commit, conflicts = (step.outputs.get(key) for key in ("pullRequestNumber", "renderedCommit", "conflicts"))
    return Proposed(
        repository=str(step.inputs.get("repository", "")) if hosted else _plain(step.inputs.get("repoUrl")) or "",
        number=number if isinstance(number, int) else None,
        version=run.template_version,
        inputs=dict(run.inputs),
        commit=str(commit or ""),
        run_number=run.number,
        conflicts=len(conflicts) if isinstance(conflicts, list) else 0,
        url="" if hosted else str(step.outputs.get("remoteUrl", "")),
        ended=None if hosted else _ended(run),
    )


def _ended(run: RunView) -> bool | None:
    """Whether the pull request was merged; a run that stopped following it counts it as closed."""
    followed = _done(run, GITHUB_FOLLOW)
    if followed is not None:
        return bool(followed.outputs.get("merged"))
    return False if run.state in ENDED else None


def _plain(repo_url: Any) -> str | None:
    """``host?owner=…&repo=…`` written in one way; None for what is no such address."""
    host, _, query = str(repo_url or "").removeprefix("https://").partition("?")
    parts = dict(parse_qsl(query))
    if not host or not parts.get("owner") or not parts.get("repo"):
        return None
    return f"{host}?owner={parts['owner']}&repo={parts['repo']}"


def _done(run: RunView, *actions: str) -> StepView | None:
    return next((step for step in run.steps if step.action in actions and step.state == "succeeded"), None)


def upgrade_workflow(definition: WorkflowDefinition, memory: Memory, title: str, text: str) -> WorkflowDefinition:
    """The definition of an upgrade: the steps of the template up to the one that publishes, then the merge.

    Steps that ask or tell people are left out. Raises Invalid when the template does not publish to such a place any
    more.
    """
    steps = list(definition.steps)
    wanted = GITHUB_PUBLISH if memory.elsewhere else (PUBLISH,)
    at = next((number for number, step in enumerate(steps) if step.action in wanted), None)
    if at is None:
        raise Invalid(
            "upgrades.nothing_published",
            f"The current version of {definition.template_ref} has no step {' or '.join(wanted)}.",
            hint=f"{memory.place} was made by such a step; only what the template still publishes can be upgraded.",
        )
    kept = [step for step in steps[:at] if step.action not in _WITHOUT and not step.action.startswith(_GITHUB)]
    taken = {step.id for step in kept}
    ident = next(name for name in ("upgrade", "propose-upgrade", "flagstone-upgrade") if name not in taken)
    inputs: dict[str, Any] = {
        "baseCommit": memory.commit,
        "branchName": f"upgrade/{definition.name}",
        "title": title,
        "description": text,
    }
    given = steps[at].input
    inputs |= {name: given[name] for name in ("sourcePath", "token") if name in given}
    merging = _on_github(ident, inputs, memory) if memory.elsewhere else _hosted(ident, inputs, memory)
    link = f"${{{{ steps['{ident}'].output.remoteUrl }}}}"
    links = [
        {"title": "Open the change request", "url": link, "if": link},
        {"title": "Open in the catalog", "entityRef": memory.entity_ref},
    ]
    return definition.model_copy(
        update={"title": title, "steps": (*kept, *merging), "output": {"links": links}, "approvals": ()}
    )


def _hosted(ident: str, inputs: dict[str, Any], memory: Memory) -> list[StepDefinition]:
    given = {"repository": memory.repository, **{name: value for name, value in inputs.items() if name != "token"}}
    return [StepDefinition(id=ident, name="Propose the upgrade", action=UPGRADE, input=given)]


def _on_github(ident: str, inputs: dict[str, Any], memory: Memory) -> list[StepDefinition]:
    """The merge, and waiting for what becomes of it: nobody else tells of it here."""
    where = {"repoUrl": memory.repository, **({"token": inputs["token"]} if "token" in inputs else {})}
    number = f"${{{{ steps['{ident}'].output.pullRequestNumber }}}}"
    return [
        StepDefinition(id=ident, name="Propose the upgrade", action=GITHUB_UPGRADE, input={**inputs, **where}),
        StepDefinition(
            id=f"{ident}-merged",
            name="Wait until it is merged or closed",
            action=GITHUB_FOLLOW,
            input={**where, "pullRequestNumber": number},
        ),
    ]
