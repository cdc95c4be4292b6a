"""The slice registers itself."""

from __future__ import annotations

from flagstone.foundation.access import AccessService
from flagstone.platform.runs import ActionRegistry, RunService, Sources, Workspaces
from flagstone.platform.workflows import api
from flagstone.platform.workflows.permissions import PERMISSIONS
from flagstone.platform.workflows.service import WorkflowService
from flagstone.platform.workflows.service.planning import Planner
from flagstone.platform.workflows.service.policies import PolicyRegistry
from flagstone.sdk import Deps, Slice, hookimpl


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Provide the way into runs."""
    registry, access = deps.get(ActionRegistry), deps.get(AccessService)
    policies = PolicyRegistry()
    planner = Planner(registry, deps.get(Workspaces), deps.get(Sources), access, policies)
    service = WorkflowService(deps.get(RunService), registry, planner, access)
    deps.provide(service)
    return Slice(
        "workflows",
        room="platform",
        routers=[api.router(service)],
        permissions=PERMISSIONS,
        collects={"flagstone_register_policies": policies.add},
        sealed=policies.freeze,
    )
