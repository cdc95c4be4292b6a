"""The slice registers itself, its actions included."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PlatformAudit
from flagstone.foundation.events import PlatformEvents
from flagstone.platform.deployments import api
from flagstone.platform.deployments.actions import actions
from flagstone.platform.deployments.permissions import PERMISSIONS
from flagstone.platform.deployments.ports import HostedSources
from flagstone.platform.deployments.service import (
    Collaborators,
    DeploymentPlanner,
    DeploymentService,
    assemble,
)
from flagstone.platform.deployments.settings import DeploymentsSettings
from flagstone.platform.environments import EnvironmentService, RuntimeRegistry
from flagstone.platform.repositories import RepositoryService
from flagstone.platform.resources import ResourceProvider, ResourceService
from flagstone.platform.workflows import WorkflowService
from flagstone.sdk import Action, Deps, ProcessHost, Slice, hookimpl
from flagstone.toolkit.db import PlatformDatabase
from flagstone.toolkit.settings.server import ServerSettings
from flagstone.toolkit.signals import Signals


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Build the deployments slice."""
    data = Path(deps.settings("server", ServerSettings).data_dir).expanduser().resolve()
    parts = assemble(
        Collaborators(
            db=deps.get(PlatformDatabase),
            sources=HostedSources(deps.get(RepositoryService)),
            environments=deps.get(EnvironmentService),
            registry=deps.get(RuntimeRegistry),
            processes=deps.get(ProcessHost),  # type: ignore[type-abstract]  # a protocol is asked for by its type
            access=deps.get(AccessService),
            audit=deps.get(PlatformAudit),
            events=deps.get(PlatformEvents),
            signals=deps.get(Signals),
            resources=deps.get(ResourceProvider),
            settings=deps.settings("deployments", DeploymentsSettings),
            data=data,
        )
    )
    deps.get(ResourceService).used_by(parts.resourcing.users)
    deps.provide(parts.service)
    deps.provide(parts.planner)
    runs = parts.runs(deps.get(WorkflowService).submit)
    return Slice(
        "deployments",
        room="platform",
        routers=[api.router(parts.service, runs)],
        permissions=PERMISSIONS,
        migrations=Path(__file__).parent / "migrations",
        start=parts.supervisor.start,
        stop=parts.supervisor.stop,
    )


@hookimpl
def flagstone_register_actions(deps: Deps) -> Iterable[Action]:
    """The kinds of step that deployments bring."""
    return actions(deps.get(DeploymentService), deps.get(DeploymentPlanner))
