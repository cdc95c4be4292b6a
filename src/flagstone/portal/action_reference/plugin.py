"""The slice registers itself."""

from __future__ import annotations

from pathlib import Path

from flagstone.contracts.gateway import RunGateway
from flagstone.kernel.actor import Principal
from flagstone.portal.action_reference import web
from flagstone.portal.action_reference.permissions import PERMISSIONS, READ
from flagstone.sdk import Deps, NavItem, PaletteEntry, Slice, hookimpl
from flagstone.toolkit.web.pages import Pages


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Build the slice."""
    gateway = deps.get(RunGateway)  # type: ignore[type-abstract]

    def palette(text: str, _principal: Principal, limit: int) -> list[PaletteEntry]:
        if not text or not gateway.info().connected:
            return []
        found = [spec for spec in gateway.list_actions() if text.lower() in f"{spec.id} {spec.title}".lower()]
        return [
            PaletteEntry(spec.title, f"/actions/{spec.id}", "Actions", "blocks", spec.id)
            for spec in found[: min(limit, 3)]
        ]

    return Slice(
        "action_reference",
        room="portal",
        routers=[web.router(gateway, deps.get(Pages))],
        permissions=PERMISSIONS,
        nav=[NavItem("actions", "Actions", "/actions", "blocks", "Build", 30, permission=READ)],
        templates=Path(__file__).parent / "templates",
        palette=palette,
    )
