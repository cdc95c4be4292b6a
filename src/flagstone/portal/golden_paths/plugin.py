"""The slice registers itself."""

from __future__ import annotations

from pathlib import Path

from flagstone.contracts.gateway import RunGateway
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PortalAudit
from flagstone.foundation.vault import VaultService
from flagstone.kernel.actor import Principal
from flagstone.portal.catalog import CatalogQuery, CatalogService
from flagstone.portal.golden_paths import api, web
from flagstone.portal.golden_paths.permissions import PERMISSIONS, READ
from flagstone.portal.golden_paths.service import DraftService, GoldenPathService, Pickers
from flagstone.portal.golden_paths.settings import GoldenPathsSettings
from flagstone.portal.golden_paths.store import DraftStore
from flagstone.sdk import Deps, NavItem, PaletteEntry, Slice, hookimpl
from flagstone.toolkit.db import PortalDatabase
from flagstone.toolkit.web.pages import Pages


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Build the golden paths."""
    settings = deps.settings("golden_paths", GoldenPathsSettings)
    gateway = deps.get(RunGateway)  # type: ignore[type-abstract]
    catalog, audit = deps.get(CatalogService), deps.get(PortalAudit)
    paths = GoldenPathService(catalog, gateway, deps.get(AccessService), audit)
    drafts = DraftService(
        DraftStore(deps.get(PortalDatabase)), paths, deps.get(VaultService), audit, days=settings.draft_days
    )
    deps.provide(paths)

    def palette(text: str, _principal: Principal, limit: int) -> list[PaletteEntry]:
        page = catalog.list(CatalogQuery(kinds=("template",), text=text or None, limit=limit))
        return [
            PaletteEntry(row.title, f"/create/{row.namespace}/{row.name}".lower(), "Golden paths", "rocket", "Create")
            for row in page.items
        ]

    return Slice(
        "golden_paths",
        room="portal",
        routers=[api.router(paths), web.router(paths, drafts, Pickers(catalog, gateway), deps.get(Pages))],
        permissions=PERMISSIONS,
        nav=[NavItem("create", "Create", "/create", "circle-plus", "Build", 10, permission=READ)],
        templates=Path(__file__).parent / "templates",
        migrations=Path(__file__).parent / "migrations",
        palette=palette,
    )
