"""The slice registers itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PlatformAudit
from flagstone.platform.environments import api
from flagstone.platform.environments.actions import CreateEnvironment
from flagstone.platform.environments.permissions import PERMISSIONS
from flagstone.platform.environments.ports import RuntimeRegistry
from flagstone.platform.environments.service import EnvironmentService
from flagstone.platform.environments.settings import EnvironmentsSettings
from flagstone.platform.environments.store import EnvironmentStore
from flagstone.sdk import Action, Deps, Slice, hookimpl
from flagstone.toolkit.db import PlatformDatabase


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Build the environments slice."""
    registry = RuntimeRegistry()
    service = EnvironmentService(
        EnvironmentStore(deps.get(PlatformDatabase)),
        registry,
        deps.settings("environments", EnvironmentsSettings),
        deps.get(AccessService),
        deps.get(PlatformAudit),
    )
    deps.provide(registry)
    deps.provide(service)
    return Slice(
        "environments",
        room="platform",
        routers=[api.router(service)],
        permissions=PERMISSIONS,
        migrations=Path(__file__).parent / "migrations",
        collects={"flagstone_register_runtimes": registry.add},
        start=service.sync,
    )


@hookimpl
def flagstone_register_actions(deps: Deps) -> Iterable[Action]:
    """The kinds of step that environments bring."""
    return [CreateEnvironment(deps.get(EnvironmentService))]
