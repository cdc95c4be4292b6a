"""``/create``: what can be started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from flagstone.contracts.gateway import GatewayInfo
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import NotFound
from flagstone.portal.golden_paths.model import Draft, GoldenPath
from flagstone.portal.golden_paths.permissions import READ
from flagstone.portal.golden_paths.service import DraftService, Gallery, GoldenPathService
from flagstone.portal.golden_paths.web.parts import Parts
from flagstone.toolkit.web.pages import Pages

ICONS = {
    "service": "server",
    "website": "panels-top-left",
    "documentation": "book-open",
    "job": "timer",
    "library": "library",
    "resource": "database",
}


@dataclass(frozen=True, slots=True)
class GalleryPage:
    """The gallery."""

    q: str
    tag: str
    gallery: Gallery
    drafts: tuple[tuple[GoldenPath, Draft], ...]
    platform: GatewayInfo
    may_run: bool
    icons: dict[str, str]
    more_href: str | None


def gallery_routes(routes: APIRouter, parts: Parts, pages: Pages) -> None:
    """Add the gallery."""
    paths, drafts = parts.paths, parts.drafts

    @routes.get("/create")
    def gallery(
        request: Request,
        principal: Annotated[Principal, permit(READ)],
        q: str = "",
        tag: str = "",
        cursor: str | None = None,
    ) -> HTMLResponse:
        """Golden paths as cards, filtered by text or tag."""
        found = paths.gallery(q.strip(), tag=tag, cursor=cursor)
        more = request.url.include_query_params(cursor=found.next_cursor) if found.next_cursor else None
        page = GalleryPage(
            q=q,
            tag=tag,
            gallery=found,
            drafts=() if q or tag or cursor else tuple(_open(paths, drafts, principal)),
            platform=paths.platform(),
            may_run=paths.may_run(principal),
            icons=ICONS,
            more_href=f"{more.path}?{more.query}" if more else None,
        )
        fragment = "golden_paths/_more.html" if cursor else "golden_paths/_cards.html"
        return pages.render(request, "golden_paths/gallery.html", page, fragment=fragment)


def _open(paths: GoldenPathService, drafts: DraftService, principal: Principal) -> list[tuple[GoldenPath, Draft]]:
    found = []
    for draft in drafts.mine(principal):
        namespace, _, name = draft.template_ref.partition(":")[2].partition("/")
        try:
            found.append((paths.get(namespace, name), draft))
        except NotFound:
            continue  # the template has left the catalog; the draft goes when it expires
    return found
