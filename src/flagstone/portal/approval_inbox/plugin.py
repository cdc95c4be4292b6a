"""The slice registers itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from flagstone.contracts.gateway import RunGateway
from flagstone.portal.approval_inbox import web
from flagstone.portal.approval_inbox.cards import WaitingCard
from flagstone.portal.approval_inbox.permissions import PERMISSIONS, READ
from flagstone.portal.approval_inbox.service import Inbox
from flagstone.portal.catalog import CatalogService
from flagstone.sdk import Deps, NavItem, Slice, UICard, hookimpl
from flagstone.toolkit.web.pages import Pages


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Build the inbox."""
    gateway = deps.get(RunGateway)  # type: ignore[type-abstract]
    inbox = Inbox(gateway, deps.get(CatalogService))
    deps.provide(inbox)
    return Slice(
        "approval_inbox",
        room="portal",
        routers=[web.router(inbox, deps.get(Pages))],
        permissions=PERMISSIONS,
        nav=[NavItem("approvals", "Approvals", "/approvals", "badge-check", "Build", 25, READ, inbox.count)],
        templates=Path(__file__).parent / "templates",
    )


@hookimpl
def flagstone_register_ui_cards(deps: Deps) -> Iterable[UICard]:
    """The card of the home page."""
    return [WaitingCard(deps.get(Inbox))]
