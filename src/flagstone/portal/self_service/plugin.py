"""The slice registers itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from flagstone.contracts.gateway import RunGateway
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PortalAudit
from flagstone.portal.catalog import CatalogService
from flagstone.portal.self_service import api, cards, web
from flagstone.portal.self_service.permissions import PERMISSIONS, REPOSITORY_READ, RUN_READ
from flagstone.portal.self_service.service import EntityActions, RunReader
from flagstone.sdk import Deps, NavItem, Slice, UICard, hookimpl
from flagstone.toolkit.web.pages import Pages


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Build self service."""
    gateway = deps.get(RunGateway)  # type: ignore[type-abstract]
    catalog, access, audit = deps.get(CatalogService), deps.get(AccessService), deps.get(PortalAudit)
    runs = RunReader(gateway, catalog, access, audit)
    actions = EntityActions(gateway, catalog, access, audit)
    deps.provide(runs)
    deps.provide(actions)
    return Slice(
        "self_service",
        room="portal",
        routers=[api.router(actions), web.router(runs, actions, deps.get(Pages))],
        permissions=PERMISSIONS,
        nav=[
            NavItem("runs", "Runs", "/runs", "circle-play", "Build", 20, RUN_READ, runs.active_count),
            NavItem("repositories", "Repositories", "/repositories", "folder-git-2", "Build", 30, REPOSITORY_READ),
        ],
        templates=Path(__file__).parent / "templates",
    )


@hookimpl
def flagstone_register_ui_cards(deps: Deps) -> Iterable[UICard]:
    """Cards of entity pages and of the home page."""
    runs, actions = deps.get(RunReader), deps.get(EntityActions)
    return [
        cards.DeploymentsCard(actions),
        cards.ActionsCard(actions),
        cards.RunsCard(runs),
        cards.RepositoryCard(actions),
        cards.RunningCard(actions),
        cards.RecentRunsCard(runs),
    ]
