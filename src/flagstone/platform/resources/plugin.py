"""The slice registers itself, its actions included."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PlatformAudit
from flagstone.foundation.events import PlatformEvents
from flagstone.foundation.vault import VaultService
from flagstone.platform.environments import EnvironmentService
from flagstone.platform.resources import api
from flagstone.platform.resources.actions import actions
from flagstone.platform.resources.permissions import PERMISSIONS
from flagstone.platform.resources.service import Collaborators, ResourceRuns, ResourceService, assemble
from flagstone.platform.resources.settings import ResourcesSettings
from flagstone.platform.workflows import WorkflowService
from flagstone.sdk import Action, Deps, Slice, hookimpl
from flagstone.toolkit.db import PlatformDatabase
from flagstone.toolkit.settings.server import ServerSettings
from flagstone.toolkit.signals import Signals


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Build the resources slice."""
    data = Path(deps.settings("server", ServerSettings).data_dir).expanduser().resolve()
    parts = assemble(
        Collaborators(
            db=deps.get(PlatformDatabase),
            environments=deps.get(EnvironmentService),
            vault=deps.get(VaultService),
            access=deps.get(AccessService),
            audit=deps.get(PlatformAudit),
            events=deps.get(PlatformEvents),
            signals=deps.get(Signals),
            settings=deps.settings("resources", ResourcesSettings),
            data=data,
        )
    )
    deps.provide(parts.service)
    deps.provide(parts.provider)
    runs = ResourceRuns(parts.service, deps.get(WorkflowService).submit)
    return Slice(
        "resources",
        room="platform",
        routers=[api.router(parts.service, runs)],
        permissions=PERMISSIONS,
        migrations=Path(__file__).parent / "migrations",
        collects={
            "flagstone_register_resource_types": parts.registry.add_type,
            "flagstone_register_resource_drivers": parts.registry.add_driver,
        },
        sealed=parts.definitions.seal,
    )


@hookimpl
def flagstone_register_actions(deps: Deps) -> Iterable[Action]:
    """The kinds of step that resources bring."""
    return actions(deps.get(ResourceService))
