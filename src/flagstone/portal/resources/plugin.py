"""The slice registers itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from flagstone.contracts.gateway import RunGateway
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PortalAudit
from flagstone.portal.catalog import CatalogService
from flagstone.portal.golden_paths import Pickers
from flagstone.portal.resources import cards, web
from flagstone.portal.resources.permissions import PERMISSIONS, READ
from flagstone.portal.resources.service import ResourceRequests
from flagstone.sdk import Deps, NavItem, Slice, UICard, hookimpl
from flagstone.toolkit.web.pages import Pages


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Build the slice."""
    gateway, catalog = deps.get(RunGateway), deps.get(CatalogService)  # type: ignore[type-abstract]
    service = ResourceRequests(gateway, catalog, deps.get(AccessService), deps.get(PortalAudit))
    deps.provide(service)
    parts = web.Parts(service, catalog, deps.get(Pickers), deps.get(Pages))
    return Slice(
        "resources",
        room="portal",
        routers=[web.router(parts)],
        permissions=PERMISSIONS,
        nav=[NavItem("resources", "Resources", "/resources", "database", "Build", 32, READ)],
        templates=Path(__file__).parent / "templates",
    )


@hookimpl
def flagstone_register_ui_cards(deps: Deps) -> Iterable[UICard]:
    """The card of components."""
    return [cards.ResourcesCard(deps.get(ResourceRequests))]
