"""The command palette: what the slices find, grouped; one that fails is left out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response

from flagstone.foundation.access import AccessService, permit
from flagstone.kernel.actor import Principal
from flagstone.sdk import PaletteEntry, Slice
from flagstone.toolkit.web.pages import Pages

log = logging.getLogger("flagstone.palette")

_EACH = 8
_ORDER = ("Pages", "Actions", "Golden paths", "Entities", "Runs")


@dataclass(frozen=True)
class PaletteResults:
    """What the palette lists."""

    query: str
    groups: tuple[tuple[str, tuple[PaletteEntry, ...]], ...]


def router(slices: Sequence[Slice], access: AccessService, pages: Pages) -> APIRouter:
    """The one route of the palette."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/_palette")
    def palette(request: Request, principal: Annotated[Principal, permit("home.page.read")], q: str = "") -> Response:
        text = q.strip()[:100]
        found: dict[str, list[PaletteEntry]] = {"Pages": _pages(slices, access, principal, text)}
        for item in slices:
            if item.palette is None:
                continue
            try:
                entries = item.palette(text, principal, _EACH)
            except Exception:
                log.exception("the palette of %s failed", item.name)
                continue
            for entry in entries:
                found.setdefault(entry.kind, []).append(entry)
        kinds = sorted(found, key=lambda kind: (_ORDER.index(kind) if kind in _ORDER else len(_ORDER), kind))
        groups = tuple((kind, tuple(found[kind][:_EACH])) for kind in kinds if found[kind])
        return pages.render(request, "layout/palette_results.html", PaletteResults(text, groups))

    return routes


def _pages(slices: Sequence[Slice], access: AccessService, principal: Principal, text: str) -> list[PaletteEntry]:
    items = sorted((item for piece in slices for item in piece.nav), key=lambda item: (item.order, item.label))
    return [
        PaletteEntry(item.label, item.href, "Pages", item.icon)
        for item in items
        if text.lower() in item.label.lower()
        and (item.permission is None or access.decide(principal, item.permission).allowed)
    ]
