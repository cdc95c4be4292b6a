"""The slice registers itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from flagstone.contracts.gateway import RunGateway
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PortalAudit
from flagstone.foundation.events import PortalEvents, behind
from flagstone.portal.catalog import CatalogService
from flagstone.portal.golden_paths import GoldenPathService
from flagstone.portal.upgrades import api, cards, web
from flagstone.portal.upgrades.permissions import PERMISSIONS, READ
from flagstone.portal.upgrades.service import UpgradeService
from flagstone.portal.upgrades.store import UpgradeStore
from flagstone.sdk import Deps, NavItem, Slice, UICard, hookimpl
from flagstone.toolkit.db import PortalDatabase
from flagstone.toolkit.web.pages import Pages


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Build the slice."""
    gateway = deps.get(RunGateway)  # type: ignore[type-abstract]
    service = UpgradeService(
        UpgradeStore(deps.get(PortalDatabase)),
        deps.get(GoldenPathService),
        deps.get(CatalogService),
        gateway,
        deps.get(AccessService),
        deps.get(PortalAudit),
    )
    deps.provide(service)
    job = behind(gateway, deps.get(PortalEvents), "upgrades", service.handle)
    return Slice(
        "upgrades",
        room="portal",
        routers=[api.router(service), web.router(service, deps.get(Pages))],
        permissions=PERMISSIONS,
        nav=[NavItem("upgrades", "Upgrades", "/upgrades", "git-merge", "Build", 25, READ)],
        templates=Path(__file__).parent / "templates",
        migrations=Path(__file__).parent / "migrations",
        start=job.start,
        stop=job.stop,
    )


@hookimpl
def flagstone_register_ui_cards(deps: Deps) -> Iterable[UICard]:
    """Cards of entity pages."""
    service = deps.get(UpgradeService)
    return [cards.MadeFromCard(service), cards.MadeCard(service)]
