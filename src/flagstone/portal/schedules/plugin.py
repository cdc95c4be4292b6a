"""The slice registers itself."""

from __future__ import annotations

from pathlib import Path

from flagstone.contracts.gateway import RunGateway
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PortalAudit
from flagstone.portal.golden_paths import DraftService, GoldenPathService
from flagstone.portal.schedules import api, web
from flagstone.portal.schedules.permissions import PERMISSIONS, READ
from flagstone.portal.schedules.service import ScheduleService, VersionService
from flagstone.sdk import Deps, NavItem, Slice, hookimpl
from flagstone.toolkit.web.pages import Pages


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Build the slice."""
    gateway = deps.get(RunGateway)  # type: ignore[type-abstract]
    paths, access, audit = deps.get(GoldenPathService), deps.get(AccessService), deps.get(PortalAudit)
    service = ScheduleService(gateway, paths, deps.get(DraftService), access, audit)
    versions = VersionService(gateway, paths, access, audit)
    deps.provide(service)
    return Slice(
        "schedules",
        room="portal",
        routers=[api.router(service, versions), web.router(service, versions, deps.get(Pages))],
        permissions=PERMISSIONS,
        nav=[NavItem("schedules", "Schedules", "/schedules", "clock", "Build", 22, READ)],
        templates=Path(__file__).parent / "templates",
    )
