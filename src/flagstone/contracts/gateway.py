"""The door: everything the portal may ask of a platform.

Implementations: in process, over HTTP, trigger-only (someone else's automation) and :class:`NoPlatform`. The platform
authenticates the caller and decides again; a check in the portal is comfort, not security. Its parts (such as
``repositories.ChangeRequestDoor``) are protocols of their own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Literal, Protocol

from flagstone.contracts.actions import ActionSpec
from flagstone.contracts.approvals import ApprovalDoor
from flagstone.contracts.base import Wire
from flagstone.contracts.batches import BatchDoor
from flagstone.contracts.deployments import DeploymentView, EnvironmentView, LogLine
from flagstone.contracts.events import Event
from flagstone.contracts.nobody import NoApprovals, NoBatches, NoChangeRequests, NoResources, NoTriggers
from flagstone.contracts.plans import Plan
from flagstone.contracts.repositories import ChangeRequestDoor, CommitView, FileContent, RepositoryView, TreeEntry
from flagstone.contracts.resources import ResourceDoor
from flagstone.contracts.runs import RunEvent, RunRequest, RunSummary, RunView, StepOutcome
from flagstone.contracts.triggers import TriggerDoor
from flagstone.kernel.actor import Principal
from flagstone.kernel.paging import Page


class GatewayInfo(Wire):
    """What is behind the door, for pages that explain themselves."""

    name: str
    connected: bool
    message: str = ""
    hint: str = ""
    can_preview: bool = True
    can_deploy: bool = True
    can_host_git: bool = True
    repo_hosts: tuple[str, ...] = ()
    """Hosts on which golden paths can create repositories, as they stand in a ``repoUrl``."""


class RunQuery(Wire):
    """Filters of a list of runs; newest first."""

    state: tuple[str, ...] = ()
    actor: str | None = None
    subject: str | None = None
    template_ref: str | None = None
    owner: str | None = None
    """Only what this group or user owns."""
    action: str | None = None
    """Only with a step of this action."""
    trigger: str | None = None
    triggered_by: str | None = None
    since: datetime | None = None
    """Started at this moment or later."""
    until: datetime | None = None
    """Started before this moment."""
    text: str | None = None
    actor_refs: tuple[str, ...] = ()
    """Only runs that one of these users of the catalog asked for."""
    order: Literal["number", "state", "actor_ref"] = "number"
    ascending: bool = False
    """Oldest first."""
    cursor: str | None = None
    """Where a page by number, newest first, goes on."""
    offset: int = 0
    """How many are left out: for another order, and for clients that count."""
    count: bool = False
    """Whether the page says how many there are in all."""
    limit: int | None = None


class DeploymentQuery(Wire):
    """Filters of a list of deployments, by workload name then environment."""

    entity_ref: str | None = None
    owners: tuple[str, ...] = ()
    environment: str | None = None
    state: tuple[str, ...] = ()
    cursor: str | None = None
    limit: int | None = None


class RunGateway(ApprovalDoor, BatchDoor, ChangeRequestDoor, ResourceDoor, TriggerDoor, Protocol):
    """See the module. Every method may raise Unavailable (no platform), Denied or NotFound."""

    def info(self) -> GatewayInfo:
        """What is behind the door."""

    def list_actions(self) -> list[ActionSpec]:
        """All kinds of step the platform can do, by id."""

    def plan(self, request: RunRequest, actor: Principal) -> Plan:
        """Preview without side effects."""

    def submit(self, request: RunRequest, actor: Principal) -> RunView:
        """Start a run. Raises Invalid for bad inputs, Conflict when the plan is not the one that was seen."""

    def list_runs(self, query: RunQuery, actor: Principal) -> Page[RunSummary]:
        """A page of runs, newest first."""

    def get_run(self, run_id: str, actor: Principal) -> RunView:
        """One run, by id or number."""

    def run_events(self, run_id: str, actor: Principal, *, after: int = 0, limit: int = 1000) -> list[RunEvent]:
        """Events and log lines after a cursor, oldest first."""

    def follow_run(self, run_id: str, actor: Principal, *, after: int = 0) -> AsyncIterator[RunEvent]:
        """The same, live, until the run has ended."""

    def cancel(self, run_id: str, actor: Principal, *, undo: bool = False) -> RunView:
        """Ask a run to stop, as soon as its step allows; with ``undo`` also to take back what is done."""

    def retry(self, run_id: str, actor: Principal, *, from_step: str | None = None) -> RunView:
        """Go on from the failed step (or from ``from_step``); finished steps before it are kept."""

    def answer_run(self, run_id: str, step_id: str, values: dict[str, Any], actor: Principal) -> RunView:
        """Answer a step that asks for input. Raises Conflict when it does not wait any more, Invalid."""

    def resolve_step(
        self,
        run_id: str,
        step_id: str,
        outcome: StepOutcome,
        actor: Principal,
        *,
        outputs: dict[str, Any] | None = None,
    ) -> RunView:
        """Say whether a step was done whose outcome is unknown. Raises Conflict when it is known."""

    def search_run_log(
        self,
        run_id: str,
        actor: Principal,
        *,
        text: str = "",
        step: str | None = None,
        after: int = 0,
        limit: int = 1000,
    ) -> list[RunEvent]:
        """Log lines that hold a text, in any case, after a cursor, oldest first."""

    def list_environments(self, actor: Principal) -> list[EnvironmentView]:
        """All environments, in order of promotion."""

    def list_deployments(self, query: DeploymentQuery, actor: Principal) -> Page[DeploymentView]:
        """A page of deployments."""

    def get_deployment(self, deployment_id: str, actor: Principal) -> DeploymentView:
        """One deployment."""

    def deployment_log(
        self, deployment_id: str, actor: Principal, *, after: int = -1, limit: int = 500
    ) -> list[LogLine]:
        """Log lines after a cursor; ``after=-1`` gives the last ``limit`` lines."""

    def follow_deployment_log(self, deployment_id: str, actor: Principal, *, after: int = -1) -> AsyncIterator[LogLine]:
        """The same, live, until the follower leaves."""

    def list_repositories(self, actor: Principal, *, cursor: str | None = None) -> Page[RepositoryView]:
        """Hosted repositories by name."""

    def get_repository(self, name: str, actor: Principal) -> RepositoryView:
        """One hosted repository, ``project/repository``."""

    def repository_tree(self, name: str, actor: Principal, *, commit: str | None = None) -> list[TreeEntry]:
        """All files and folders at a commit (default: head of the default branch)."""

    def repository_file(self, name: str, path: str, actor: Principal, *, commit: str | None = None) -> FileContent:
        """One file at a commit (default: head of the default branch)."""

    def repository_commits(self, name: str, actor: Principal, *, limit: int = 20) -> list[CommitView]:
        """The newest commits of the default branch."""

    def events(self, *, after: int = 0, limit: int = 500, wait: float = 0) -> list[Event]:
        """Events after a cursor; waits up to ``wait`` seconds for the first one. For the portal's own reader."""


class NoPlatform(NoApprovals, NoBatches, NoChangeRequests, NoResources, NoTriggers):
    """A portal without a platform: lists are empty and explain themselves, everything that would act says why it
    cannot.
    """

    def info(self) -> GatewayInfo:
        """Says that there is no platform, and how to connect one."""
        return GatewayInfo(
            name="none",
            connected=False,
            message="This portal is not connected to a platform, so nothing can be created, run or deployed from here.",
            hint=self.HINT,
            can_preview=False,
            can_deploy=False,
            can_host_git=False,
        )

    def list_actions(self) -> list[ActionSpec]:
        """No actions."""
        return []

    def plan(self, request: RunRequest, actor: Principal) -> Plan:
        """Refuses."""
        raise self._refuse()

    def submit(self, request: RunRequest, actor: Principal) -> RunView:
        """Refuses."""
        raise self._refuse()

    def list_runs(self, query: RunQuery, actor: Principal) -> Page[RunSummary]:
        """No runs."""
        return Page(())

    def get_run(self, run_id: str, actor: Principal) -> RunView:
        """Refuses."""
        raise self._refuse()

    def run_events(self, run_id: str, actor: Principal, *, after: int = 0, limit: int = 1000) -> list[RunEvent]:
        """Refuses."""
        raise self._refuse()

    async def follow_run(self, run_id: str, actor: Principal, *, after: int = 0) -> AsyncIterator[RunEvent]:
        """Refuses."""
        raise self._refuse()
        yield  # an async generator, as the protocol asks

    def cancel(self, run_id: str, actor: Principal, *, undo: bool = False) -> RunView:
        """Refuses."""
        raise self._refuse()

    def retry(self, run_id: str, actor: Principal, *, from_step: str | None = None) -> RunView:
        """Refuses."""
        raise self._refuse()

    def resolve_step(
        self,
        run_id: str,
        step_id: str,
        outcome: StepOutcome,
        actor: Principal,
        *,
        outputs: dict[str, Any] | None = None,
    ) -> RunView:
        """Refuses."""
        raise self._refuse()

    def search_run_log(
        self,
        run_id: str,
        actor: Principal,
        *,
        text: str = "",
        step: str | None = None,
        after: int = 0,
        limit: int = 1000,
    ) -> list[RunEvent]:
        """Refuses."""
        raise self._refuse()

    def answer_run(self, run_id: str, step_id: str, values: dict[str, Any], actor: Principal) -> RunView:
        """Refuses."""
        raise self._refuse()

    def list_environments(self, actor: Principal) -> list[EnvironmentView]:
        """No environments."""
        return []

    def list_deployments(self, query: DeploymentQuery, actor: Principal) -> Page[DeploymentView]:
        """No deployments."""
        return Page(())

    def get_deployment(self, deployment_id: str, actor: Principal) -> DeploymentView:
        """Refuses."""
        raise self._refuse()

    def deployment_log(
        self, deployment_id: str, actor: Principal, *, after: int = -1, limit: int = 500
    ) -> list[LogLine]:
        """Refuses."""
        raise self._refuse()

    async def follow_deployment_log(
        self, deployment_id: str, actor: Principal, *, after: int = -1
    ) -> AsyncIterator[LogLine]:
        """Refuses."""
        raise self._refuse()
        yield  # an async generator, as the protocol asks

    def list_repositories(self, actor: Principal, *, cursor: str | None = None) -> Page[RepositoryView]:
        """No repositories."""
        return Page(())

    def get_repository(self, name: str, actor: Principal) -> RepositoryView:
        """Refuses."""
        raise self._refuse()

    def repository_tree(self, name: str, actor: Principal, *, commit: str | None = None) -> list[TreeEntry]:
        """Refuses."""
        raise self._refuse()

    def repository_file(self, name: str, path: str, actor: Principal, *, commit: str | None = None) -> FileContent:
        """Refuses."""
        raise self._refuse()

    def repository_commits(self, name: str, actor: Principal, *, limit: int = 20) -> list[CommitView]:
        """Refuses."""
        raise self._refuse()

    def events(self, *, after: int = 0, limit: int = 500, wait: float = 0) -> list[Event]:
        """Nothing ever happens."""
        return []
