"""Registers the slice and its cards."""

from __future__ import annotations

from pathlib import Path

from flagstone.contracts.gateway import RunGateway
from flagstone.portal.catalog import CardRegistry, CatalogService
from flagstone.portal.home import web
from flagstone.portal.home.cards import GettingStartedCard, MineCard, StartCard
from flagstone.portal.home.permissions import PERMISSIONS
from flagstone.sdk import Deps, NavItem, Slice, UICard, hookimpl
from flagstone.toolkit.web.pages import Pages


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Build the slice."""
    gateway = deps.get(RunGateway)  # type: ignore[type-abstract]
    return Slice(
        "home",
        room="portal",
        routers=[web.router(deps.get(CardRegistry), gateway, deps.get(Pages))],
        permissions=PERMISSIONS,
        nav=[NavItem("home", "Home", "/", "house", "", 0, "home.page.read")],
        templates=Path(__file__).parent / "templates",
    )


@hookimpl
def flagstone_register_ui_cards(deps: Deps) -> list[UICard]:
    """The home page's own cards."""
    catalog = deps.get(CatalogService)
    gateway = deps.get(RunGateway)  # type: ignore[type-abstract]
    return [MineCard(catalog), StartCard(catalog), GettingStartedCard(catalog, gateway)]
