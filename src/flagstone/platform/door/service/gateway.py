"""The door in process, put together from its parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from flagstone.contracts.actions import ActionSpec
from flagstone.contracts.deployments import DeploymentView, EnvironmentView, LogLine
from flagstone.contracts.events import Event
from flagstone.contracts.gateway import DeploymentQuery, GatewayInfo, RunQuery
from flagstone.contracts.plans import Plan
from flagstone.contracts.repositories import CommitView, FileContent, RepositoryView, TreeEntry
from flagstone.contracts.runs import RunEvent, RunRequest, RunSummary, RunView, StepOutcome
from flagstone.foundation.events import PlatformEvents
from flagstone.kernel.actor import Principal
from flagstone.kernel.paging import Page
from flagstone.platform.approvals import ApprovalService
from flagstone.platform.batches import BatchService
from flagstone.platform.deployments import DeploymentService
from flagstone.platform.door.service.approvals import LocalApprovals
from flagstone.platform.door.service.batches import LocalBatches
from flagstone.platform.door.service.changes import LocalChangeRequests
from flagstone.platform.door.service.resources import LocalResources
from flagstone.platform.door.service.triggers import LocalTriggers
from flagstone.platform.environments import EnvironmentService
from flagstone.platform.repositories import ChangeService, RepositoryService
from flagstone.platform.resources import ResourceService
from flagstone.platform.runs import ActionRegistry, ResolveService, RunService, WaitService
from flagstone.platform.triggers import TriggerService
from flagstone.platform.workflows import WorkflowService


class LocalGateway(LocalApprovals, LocalBatches, LocalChangeRequests, LocalResources, LocalTriggers):
    """See ``flagstone.contracts.gateway.RunGateway``."""

    def __init__(
        self,
        *,
        runs: RunService,
        waiting: WaitService,
        resolving: ResolveService,
        actions: ActionRegistry,
        workflows: WorkflowService,
        environments: EnvironmentService,
        deployments: DeploymentService,
        repositories: RepositoryService,
        changes: ChangeService,
        approvals: ApprovalService,
        triggers: TriggerService,
        batches: BatchService,
        resources: ResourceService,
        events: PlatformEvents,
        repo_hosts: tuple[str, ...] = (),
    ) -> None:
        self._runs = runs
        self._waiting = waiting
        self._resolving = resolving
        self._actions = actions
        self._workflows = workflows
        self._environments = environments
        self._deployments = deployments
        self._repositories = repositories
        self._changes = changes
        self._approvals = approvals
        self._triggers = triggers
        self._batches = batches
        self._resources = resources
        self._events = events
        self._repo_hosts = repo_hosts

    def info(self) -> GatewayInfo:
        """In process it is always there."""
        return GatewayInfo(name="local", connected=True, repo_hosts=("flagstone", *self._repo_hosts))

    def list_actions(self) -> list[ActionSpec]:
        """All kinds of step."""
        return self._actions.specs()

    def plan(self, request: RunRequest, actor: Principal) -> Plan:
        """Preview."""
        return self._workflows.plan(request, actor)

    def submit(self, request: RunRequest, actor: Principal) -> RunView:
        """Start a run."""
        return self._workflows.submit(request, actor)

    def list_runs(self, query: RunQuery, actor: Principal) -> Page[RunSummary]:
        """A page of runs."""
        return self._runs.list_runs(query, actor)

    def get_run(self, run_id: str, actor: Principal) -> RunView:
        """One run."""
        return self._runs.get(run_id, actor)

    def run_events(self, run_id: str, actor: Principal, *, after: int = 0, limit: int = 1000) -> list[RunEvent]:
        """Events after a cursor."""
        return self._runs.events(run_id, actor, after=after, limit=limit)

    def follow_run(self, run_id: str, actor: Principal, *, after: int = 0) -> AsyncIterator[RunEvent]:
        """Events, live."""
        return self._runs.follow(run_id, actor, after=after)

    def cancel(self, run_id: str, actor: Principal, *, undo: bool = False) -> RunView:
        """Ask it to stop."""
        return self._runs.cancel(run_id, actor, undo=undo)

    def retry(self, run_id: str, actor: Principal, *, from_step: str | None = None) -> RunView:
        """Go on."""
        return self._runs.retry(run_id, actor, from_step=from_step)

    def answer_run(self, run_id: str, step_id: str, values: dict[str, Any], actor: Principal) -> RunView:
        """Answer a step that asks."""
        self._waiting.answer(run_id, step_id, values, actor)
        return self._runs.get(run_id, actor)

    def resolve_step(
        self,
        run_id: str,
        step_id: str,
        outcome: StepOutcome,
        actor: Principal,
        *,
        outputs: dict[str, Any] | None = None,
    ) -> RunView:
        """Say what became of a step."""
        self._resolving.resolve(run_id, step_id, outcome, actor, outputs=outputs)
        return self._runs.get(run_id, actor)

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
        """Lines that hold a text."""
        return self._runs.search_log(run_id, actor, text=text, step=step, after=after, limit=limit)

    def list_environments(self, actor: Principal) -> list[EnvironmentView]:
        """All environments."""
        return self._environments.list(actor)

    def list_deployments(self, query: DeploymentQuery, actor: Principal) -> Page[DeploymentView]:
        """A page of deployments."""
        return self._deployments.list(query, actor)

    def get_deployment(self, deployment_id: str, actor: Principal) -> DeploymentView:
        """One deployment."""
        return self._deployments.get(deployment_id, actor)

    def deployment_log(
        self, deployment_id: str, actor: Principal, *, after: int = -1, limit: int = 500
    ) -> list[LogLine]:
        """Log lines after a cursor."""
        return list(self._deployments.log(deployment_id, actor, after=after, limit=limit))

    def follow_deployment_log(self, deployment_id: str, actor: Principal, *, after: int = -1) -> AsyncIterator[LogLine]:
        """Log lines, live."""
        return self._deployments.follow_log(deployment_id, actor, after=after)

    def list_repositories(self, actor: Principal, *, cursor: str | None = None) -> Page[RepositoryView]:
        """Hosted repositories."""
        return self._repositories.list_repositories(actor, cursor=cursor)

    def get_repository(self, name: str, actor: Principal) -> RepositoryView:
        """One repository."""
        return self._repositories.get(name, actor)

    def repository_tree(self, name: str, actor: Principal, *, commit: str | None = None) -> list[TreeEntry]:
        """All files and folders."""
        return self._repositories.tree(name, actor, commit=commit)

    def repository_file(self, name: str, path: str, actor: Principal, *, commit: str | None = None) -> FileContent:
        """One file."""
        return self._repositories.file(name, path, actor, commit=commit)

    def repository_commits(self, name: str, actor: Principal, *, limit: int = 20) -> list[CommitView]:
        """The newest commits."""
        return self._repositories.commits(name, actor, limit=limit)

    def events(self, *, after: int = 0, limit: int = 500, wait: float = 0) -> list[Event]:
        """Events after a cursor; waits for the first one if asked."""
        if wait > 0:
            self._events.wait(after, wait)
        return self._events.read(after, limit)
