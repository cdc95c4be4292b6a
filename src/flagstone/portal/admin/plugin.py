"""Registers the slice."""

from __future__ import annotations

from pathlib import Path

from flagstone.contracts.gateway import RunGateway
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog, PlatformAudit, PortalAudit
from flagstone.foundation.identity import IdentityService
from flagstone.foundation.vault import VaultService
from flagstone.portal.admin.permissions import PERMISSIONS
from flagstone.portal.admin.service import AdminService
from flagstone.portal.admin.web import installation, people, secrets
from flagstone.sdk import Deps, NavItem, Slice, hookimpl
from flagstone.toolkit.db import Database, PlatformDatabase, PortalDatabase
from flagstone.toolkit.plugins import PluginHost
from flagstone.toolkit.settings import Settings
from flagstone.toolkit.settings.server import ServerSettings
from flagstone.toolkit.web.pages import Pages


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Build the slice."""
    databases: dict[str, Database] = {"portal": deps.get(PortalDatabase)}
    platform = deps.find(PlatformDatabase)
    if platform is not None:
        databases["platform"] = platform
    service = AdminService(
        settings=deps.get(Settings),
        server=deps.get(ServerSettings),
        host=deps.get(PluginHost),
        access=deps.get(AccessService),
        gateway=deps.get(RunGateway),  # type: ignore[type-abstract]
        databases=databases,
    )
    deps.provide(service)
    pages = deps.get(Pages)
    audits: dict[str, AuditLog] = {"portal": deps.get(PortalAudit)}
    in_process = deps.find(PlatformAudit)
    if in_process is not None:
        audits["platform"] = in_process
    return Slice(
        "admin",
        room="portal",
        routers=[
            installation.router(service, audits, pages),
            people.router(deps.get(IdentityService), pages, installation.TABS, deps.get(ServerSettings).public_url),
            secrets.router(deps.get(VaultService), deps.get(AccessService), pages, installation.TABS),
        ],
        permissions=PERMISSIONS,
        nav=[
            NavItem("audit", "Audit log", "/audit", "scroll-text", "Govern", 30, "audit.read"),
            NavItem("admin", "Admin", "/admin", "settings", "Govern", 90, "admin.overview.read"),
        ],
        templates=Path(__file__).parent / "templates",
    )
