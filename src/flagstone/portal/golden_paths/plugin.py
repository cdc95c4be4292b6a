"""The slice registers itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from flagstone.contracts.gateway import RunGateway
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PortalAudit
from flagstone.foundation.vault import VaultService
from flagstone.kernel.actor import Principal
from flagstone.portal.catalog import CatalogQuery, CatalogService, IngestService, StarService
from flagstone.portal.golden_paths import api, cards, web
from flagstone.portal.golden_paths.permissions import PERMISSIONS, READ
from flagstone.portal.golden_paths.service import (
    ChoiceService,
    DraftService,
    FormFieldRegistry,
    GoldenPathService,
    Pickers,
    Prefills,
    TemplateChecks,
)
from flagstone.portal.golden_paths.settings import GoldenPathsSettings
from flagstone.portal.golden_paths.store import DraftStore
from flagstone.sdk import Deps, NavItem, PaletteEntry, Slice, UICard, hookimpl
from flagstone.toolkit.db import PortalDatabase
from flagstone.toolkit.web.pages import Pages


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Build the golden paths."""
    settings = deps.settings("golden_paths", GoldenPathsSettings)
    gateway = deps.get(RunGateway)  # type: ignore[type-abstract]
    catalog, audit = deps.get(CatalogService), deps.get(PortalAudit)
    registry = FormFieldRegistry()
    pickers = Pickers(catalog, gateway, registry)
    checks = TemplateChecks(gateway, registry, deps.find(IngestService))
    features = frozenset(settings.features)
    paths = GoldenPathService(catalog, gateway, deps.get(AccessService), audit, pickers, checks, features)
    drafts = DraftService(
        DraftStore(deps.get(PortalDatabase)), paths, deps.get(VaultService), audit, days=settings.draft_days
    )
    deps.provide(paths)
    deps.provide(drafts)
    deps.provide(registry)
    prefills = Prefills(catalog, gateway)
    deps.provide(pickers)
    deps.provide(prefills)
    parts = web.Parts(
        paths=paths,
        drafts=drafts,
        pickers=pickers,
        checks=checks,
        choices=ChoiceService(catalog, gateway, registry),
        prefills=prefills,
        stars=deps.get(StarService),
    )

    def palette(text: str, _principal: Principal, limit: int) -> list[PaletteEntry]:
        page = catalog.list(CatalogQuery(kinds=("template",), text=text or None, limit=limit))
        return [
            PaletteEntry(row.title, f"/create/{row.namespace}/{row.name}".lower(), "Golden paths", "rocket", "Create")
            for row in page.items
        ]

    return Slice(
        "golden_paths",
        room="portal",
        routers=[api.router(paths, checks, prefills), web.router(parts, deps.get(Pages))],
        permissions=PERMISSIONS,
        nav=[NavItem("create", "Create", "/create", "circle-plus", "Build", 10, permission=READ)],
        templates=Path(__file__).parent / "templates",
        migrations=Path(__file__).parent / "migrations",
        palette=palette,
        collects={"flagstone_register_form_fields": registry.add},
        sealed=registry.freeze,
    )


@hookimpl
def flagstone_register_ui_cards(deps: Deps) -> Iterable[UICard]:
    """Cards of entity pages."""
    paths = deps.get(GoldenPathService)
    return [cards.DayTwoCard(paths, paths.attachments)]
