"""The slice registers itself."""

from __future__ import annotations

from flagstone.foundation.access import api
from flagstone.foundation.access.permissions import PERMISSIONS
from flagstone.foundation.access.service import AccessService
from flagstone.foundation.audit import HomeAudit
from flagstone.sdk import Deps, Slice, hookimpl


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Provide the decision point. It has no tables: permissions come from the slices, groups from their sources."""
    service = AccessService(deps.get(HomeAudit))
    deps.provide(service)
    return Slice("access", room="foundation", routers=[api.router(service)], permissions=PERMISSIONS)
