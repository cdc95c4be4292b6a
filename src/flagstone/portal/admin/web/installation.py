"""Pages under /admin, the audit log and the API reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from flagstone.contracts.gateway import GatewayInfo
from flagstone.foundation.access import permit
from flagstone.foundation.audit import AuditLog, AuditQuery, AuditRow, Verification
from flagstone.kernel.actor import Principal
from flagstone.portal.admin.model import DatabaseRow, OperationGroup, PluginRow
from flagstone.portal.admin.service import AdminService
from flagstone.sdk import Permission
from flagstone.toolkit.settings import Explained
from flagstone.toolkit.web.gallery import gallery_page
from flagstone.toolkit.web.pages import Pages

TABS = (
    ("overview", "Overview", "/admin"),
    ("plugins", "Plugins", "/admin/plugins"),
    ("people", "People", "/admin/people"),
    ("secrets", "Secrets", "/admin/secrets"),
    ("permissions", "Permissions", "/admin/permissions"),
    ("settings", "Settings", "/admin/settings"),
    ("api", "API", "/api/docs"),
    ("ui", "Components", "/admin/ui"),
)


@dataclass(frozen=True)
class OverviewPage:
    """Version, health, door, databases."""

    tabs: tuple[tuple[str, str, str], ...]
    facts: list[tuple[str, str]]
    gateway: GatewayInfo
    databases: list[DatabaseRow]
    failures: list[PluginRow]


@dataclass(frozen=True)
class PluginsPage:
    """Every plugin and what it brings."""

    tabs: tuple[tuple[str, str, str], ...]
    plugins: list[PluginRow]


@dataclass(frozen=True)
class PermissionsPage:
    """Every permission and who has it."""

    tabs: tuple[tuple[str, str, str], ...]
    permissions: list[Permission]


@dataclass(frozen=True)
class SettingsPage:
    """Every setting with value and source."""

    tabs: tuple[tuple[str, str, str], ...]
    settings: list[Explained]


@dataclass(frozen=True)
class ApiPage:
    """The API reference."""

    tabs: tuple[tuple[str, str, str], ...]
    groups: tuple[OperationGroup, ...]
    version: str


class AuditFilter(BaseModel):
    """The filters of the audit page, all in its URL."""

    room: Literal["portal", "platform"] = "portal"
    actor: str = ""
    action: str = ""
    resource: str = ""
    outcome: Literal["", "ok", "denied", "failed"] = ""
    since: datetime | None = None
    until: datetime | None = None
    cursor: str | None = None
    verify: bool = False

    def as_query(self) -> AuditQuery:
        """What the audit log is asked."""
        return AuditQuery(
            actor=self.actor or None,
            action=self.action or None,
            resource=self.resource or None,
            outcome=self.outcome or None,
            since=self.since,
            until=self.until,
            cursor=self.cursor,
        )


@dataclass(frozen=True)
class AuditPage:
    """A page of the audit log, newest first."""

    rows: tuple[AuditRow, ...]
    more: str | None
    actor: str
    action: str
    resource: str
    outcome: str
    verification: Verification | None
    room: str
    rooms: tuple[str, ...]


def router(service: AdminService, audits: Mapping[str, AuditLog], pages: Pages) -> APIRouter:
    """The pages over a service."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/admin")
    def overview(request: Request, _: Annotated[Principal, permit("admin.overview.read")]) -> Response:
        failures = [row for row in service.plugins() if row.failures]
        page = OverviewPage(TABS, service.facts(), service.gateway(), service.databases(), failures)
        return pages.render(request, "admin/overview.html", page)

    @routes.get("/admin/plugins")
    def plugins(request: Request, _: Annotated[Principal, permit("admin.overview.read")]) -> Response:
        return pages.render(request, "admin/plugins.html", PluginsPage(TABS, service.plugins()))

    @routes.get("/admin/permissions")
    def permissions(request: Request, _: Annotated[Principal, permit("admin.overview.read")]) -> Response:
        return pages.render(request, "admin/permissions.html", PermissionsPage(TABS, service.permissions()))

    @routes.get("/admin/settings")
    def settings(request: Request, _: Annotated[Principal, permit("admin.settings.read")]) -> Response:
        return pages.render(request, "admin/settings.html", SettingsPage(TABS, service.settings()))

    @routes.get("/admin/ui")
    def gallery(request: Request, _: Annotated[Principal, permit("admin.overview.read")]) -> Response:
        return pages.render(request, "ui/gallery.html", gallery_page())

    @routes.get("/api/docs")
    def reference(request: Request, _: Annotated[Principal, permit("admin.overview.read")]) -> Response:
        page = ApiPage(TABS, service.operations(request.app), str(request.app.version))
        return pages.render(request, "admin/api.html", page)

    @routes.get("/audit")
    def audit_log(
        request: Request,
        _: Annotated[Principal, permit("audit.read")],
        query: Annotated[AuditFilter, Query()],
    ) -> Response:
        audit = audits.get(query.room) or audits["portal"]
        found = audit.list(query.as_query())
        page = AuditPage(
            rows=found.items,
            more=found.next_cursor,
            actor=query.actor,
            action=query.action,
            resource=query.resource,
            outcome=query.outcome,
            verification=audit.verify() if query.verify else None,
            room=query.room,
            rooms=tuple(audits),
        )
        return pages.render(request, "admin/audit.html", page, fragment="admin/_audit_rows.html")

    return routes
