"""The slice registers itself."""

from __future__ import annotations

from flagstone.contracts.gateway import RunGateway
from flagstone.foundation.access import AccessService
from flagstone.portal.golden_paths import GoldenPathService
from flagstone.portal.scaffolder import api
from flagstone.portal.scaffolder.permissions import PERMISSIONS
from flagstone.portal.scaffolder.service import ScaffolderService
from flagstone.sdk import Deps, Slice, hookimpl


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Provide the API."""
    gateway = deps.get(RunGateway)  # type: ignore[type-abstract]
    service = ScaffolderService(deps.get(GoldenPathService), gateway, deps.get(AccessService))
    deps.provide(service)
    return Slice(
        "scaffolder",
        room="portal",
        routers=[api.router(service)],
        permissions=PERMISSIONS,
        errors={api.PREFIX: api.errors},
    )
