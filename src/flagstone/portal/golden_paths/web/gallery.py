"""``/create``: what can be started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from flagstone.contracts.gateway import GatewayInfo
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import NotFound
from flagstone.portal.catalog import FacetValue
from flagstone.portal.golden_paths.model import Draft, GoldenPath
from flagstone.portal.golden_paths.model.checking import Finding
from flagstone.portal.golden_paths.permissions import READ
from flagstone.portal.golden_paths.service import (
    DraftService,
    Gallery,
    GalleryFilter,
    GoldenPathService,
    TrackRecord,
)
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
FacetOptions = tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class GalleryPage:
    """The gallery."""

    q: str
    wanted: GalleryFilter
    starred: bool
    facets: tuple[tuple[str, str, FacetOptions, tuple[str, ...]], ...]
    """(name, label, options, chosen)."""
    chips: tuple[tuple[str, str], ...]
    gallery: Gallery
    stars: frozenset[str]
    drafts: tuple[tuple[GoldenPath, Draft], ...]
    platform: GatewayInfo
    may_run: bool
    icons: dict[str, str]
    more_href: str | None


@dataclass(frozen=True, slots=True)
class TemplatePage:
    """One golden path: what it is, asks and does, how its runs went, and what is wrong with it."""

    path: GoldenPath
    icon_of: str
    asked: tuple[tuple[str, tuple[tuple[str, str, bool, str], ...]], ...]
    """By page: (name, title, required, help)."""
    record: TrackRecord | None
    findings: tuple[Finding, ...]
    starred: bool
    may_run: bool


def gallery_routes(routes: APIRouter, parts: Parts, pages: Pages) -> None:
    """Add the gallery and the page of a golden path."""
    paths, drafts = parts.paths, parts.drafts

    @routes.get("/create")
    def gallery(
        request: Request,
        principal: Annotated[Principal, permit(READ)],
        q: str = "",
        type: Annotated[list[str], Query()] = [],  # noqa: A002, B006  the name in the address
        owner: Annotated[list[str], Query()] = [],  # noqa: B006  FastAPI copies it
        tag: Annotated[list[str], Query()] = [],  # noqa: B006
        starred: str = "",
        cursor: str | None = None,
    ) -> HTMLResponse:
        """Golden paths as cards, filtered by text, type, owner, tags and stars."""
        text = q.strip()
        wanted = GalleryFilter(_some(type), _some(owner), _some(tag), principal.id if starred else None)
        found = paths.gallery(text, wanted=wanted, cursor=cursor)
        more = request.url.include_query_params(cursor=found.next_cursor) if found.next_cursor else None
        facets = _facets(parts, paths, text, wanted)
        page = GalleryPage(
            q=q,
            wanted=wanted,
            starred=bool(starred),
            facets=facets,
            chips=tuple(_chips(facets, starred=bool(starred))),
            gallery=found,
            stars=frozenset(parts.stars.starred(principal, [path.ref for path in (*found.recommended, *found.others)])),
            drafts=() if text or cursor or not wanted.empty else tuple(_open(paths, drafts, principal)),
            platform=paths.platform(),
            may_run=paths.may_run(principal),
            icons=ICONS,
            more_href=f"{more.path}?{more.query}" if more else None,
        )
        fragment = "golden_paths/_more.html" if cursor else "golden_paths/_cards.html"
        return pages.render(request, "golden_paths/gallery.html", page, fragment=fragment)

    @routes.get("/create/{namespace}/{name}/about")
    def about(
        request: Request, namespace: str, name: str, principal: Annotated[Principal, permit(READ)]
    ) -> HTMLResponse:
        """What a golden path is, asks and does."""
        path = paths.get(namespace, name)
        page = TemplatePage(
            path=path,
            icon_of=ICONS.get(path.type, "rocket"),
            asked=tuple((str(step["title"]), tuple(_asked(step))) for step in path.pages),
            record=paths.record(principal, path),
            findings=tuple(parts.checks.of(path)),
            starred=path.ref in parts.stars.starred(principal, [path.ref]),
            may_run=paths.may_run(principal),
        )
        return pages.render(request, "golden_paths/about.html", page)


def _some(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(value for value in values if value)[:50]


def _facets(
    parts: Parts, paths: GoldenPathService, text: str, wanted: GalleryFilter
) -> tuple[tuple[str, str, FacetOptions, tuple[str, ...]], ...]:
    found = paths.facets(text, wanted)
    names = parts.pickers.labels({value.value for value in found["owners"]})
    return (
        ("type", "Type", _options(found["types"], {}), wanted.types),
        ("owner", "Owner", _options(found["owners"], names), wanted.owners),
        ("tag", "Tags", _options(found["tags"], {}), wanted.tags),
    )


def _options(values: Sequence[FacetValue], names: dict[str, str]) -> FacetOptions:
    return tuple((item.value, names.get(item.value, item.value), item.count) for item in values)


def _chips(facets: Sequence[tuple[str, str, FacetOptions, tuple[str, ...]]], *, starred: bool) -> list[tuple[str, str]]:
    found = [("", "Starred")] if starred else []
    for _, label, options, chosen in facets:
        names = {value: text for value, text, _ in options}
        found += [(label, names.get(value, value)) for value in chosen]
    return found


def _asked(page: dict[str, object]) -> list[tuple[str, str, bool, str]]:
    rules, required = page.get("properties"), page.get("required")
    names = required if isinstance(required, list) else []
    return [
        (name, str(rule.get("title") or name), name in names, str(rule.get("description") or ""))
        for name, rule in (rules.items() if isinstance(rules, dict) else ())
        if isinstance(rule, dict)
    ]


def _open(paths: GoldenPathService, drafts: DraftService, principal: Principal) -> list[tuple[GoldenPath, Draft]]:
    found = []
    for draft in drafts.mine(principal):
        namespace, _, name = draft.template_ref.partition(":")[2].partition("/")
        try:
            found.append((paths.get(namespace, name), draft))
        except NotFound:
            continue  # the template has left the catalog; the draft goes when it expires
    return found
