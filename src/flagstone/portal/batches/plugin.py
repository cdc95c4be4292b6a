"""The slice registers itself."""

from __future__ import annotations

from pathlib import Path

from flagstone.contracts.gateway import RunGateway
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PortalAudit
from flagstone.portal.batches import api, web
from flagstone.portal.batches.permissions import PERMISSIONS, READ
from flagstone.portal.batches.service import BatchPreviews, BatchReader
from flagstone.portal.catalog import CatalogService
from flagstone.portal.golden_paths import GoldenPathService, Pickers, Prefills
from flagstone.sdk import Deps, NavItem, Slice, hookimpl
from flagstone.toolkit.web.pages import Pages


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Build the slice."""
    catalog, gateway = deps.get(CatalogService), deps.get(RunGateway)  # type: ignore[type-abstract]
    paths, access = deps.get(GoldenPathService), deps.get(AccessService)
    previews = BatchPreviews(catalog, gateway, paths, deps.get(Prefills), access, deps.get(PortalAudit))
    reader = BatchReader(gateway, catalog, access)
    deps.provide(previews)
    deps.provide(reader)
    parts = web.Parts(previews, deps.get(Pickers), deps.get(Pages))
    return Slice(
        "batches",
        room="portal",
        routers=[api.router(previews), web.router(parts, reader)],
        permissions=PERMISSIONS,
        nav=[NavItem("batches", "Batches", "/batches", "layers", "Build", 23, READ)],
        templates=Path(__file__).parent / "templates",
    )
