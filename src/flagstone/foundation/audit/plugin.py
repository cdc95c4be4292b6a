"""The slice registers itself."""

from __future__ import annotations

from pathlib import Path

from flagstone.foundation.audit import api
from flagstone.foundation.audit.permissions import PERMISSIONS
from flagstone.foundation.audit.service import AuditLog, HomeAudit, PlatformAudit, PortalAudit
from flagstone.sdk import Deps, Slice, hookimpl
from flagstone.toolkit.db import HomeDatabase, PlatformDatabase, PortalDatabase


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Provide a log for each room that this process serves, and the one beside people and tokens."""
    logs: dict[str, AuditLog] = {}
    portal, platform = deps.find(PortalDatabase), deps.find(PlatformDatabase)
    if portal is not None:
        logs["portal"] = PortalAudit(portal)
        deps.provide(logs["portal"])
    if platform is not None:
        logs["platform"] = PlatformAudit(platform)
        deps.provide(logs["platform"])
    deps.provide(HomeAudit(deps.get(HomeDatabase)))
    return Slice(
        "audit",
        room="foundation",
        routers=[api.router(logs)],
        permissions=PERMISSIONS,
        migrations=Path(__file__).parent / "migrations",
        migrate="each",
    )
