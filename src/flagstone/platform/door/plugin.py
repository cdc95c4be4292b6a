"""Registers the slice, and offers the gateway ``local``."""

from __future__ import annotations

from flagstone.contracts.gateway import RunGateway
from flagstone.foundation.events import PlatformEvents
from flagstone.platform.approvals import ApprovalService
from flagstone.platform.batches import BatchService
from flagstone.platform.deployments import DeploymentService
from flagstone.platform.door import api
from flagstone.platform.door.permissions import PERMISSIONS
from flagstone.platform.door.service import LocalGateway
from flagstone.platform.environments import EnvironmentService
from flagstone.platform.repositories import ChangeService, RepositoryService
from flagstone.platform.resources import ResourceService
from flagstone.platform.runs import ActionRegistry, ResolveService, RunService, WaitService
from flagstone.platform.triggers import TriggerService
from flagstone.platform.workflows import WorkflowService
from flagstone.sdk import Deps, Slice, hookimpl
from flagstone.sdk.remotes import RepoHosts


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Build the slice."""
    elsewhere = deps.find(RepoHosts)
    gateway = LocalGateway(
        runs=deps.get(RunService),
        waiting=deps.get(WaitService),
        resolving=deps.get(ResolveService),
        actions=deps.get(ActionRegistry),
        workflows=deps.get(WorkflowService),
        environments=deps.get(EnvironmentService),
        deployments=deps.get(DeploymentService),
        repositories=deps.get(RepositoryService),
        changes=deps.get(ChangeService),
        approvals=deps.get(ApprovalService),
        triggers=deps.get(TriggerService),
        batches=deps.get(BatchService),
        resources=deps.get(ResourceService),
        events=deps.get(PlatformEvents),
        repo_hosts=elsewhere.names if elsewhere else (),
    )
    deps.provide(gateway)
    return Slice("door", room="platform", routers=[api.router(gateway)], permissions=PERMISSIONS)


@hookimpl
def flagstone_register_run_gateways(deps: Deps) -> dict[str, RunGateway]:
    """The door in process."""
    return {"local": deps.get(LocalGateway)}
