"""Whether the catalog can be trusted: the page of problems, what was removed, and the card on the home page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from flagstone.foundation.access import AccessService
from flagstone.kernel.actor import Principal
from flagstone.portal.catalog.model import CatalogProblem, Location, Relation
from flagstone.portal.catalog.service.catalog import CatalogService
from flagstone.portal.catalog.service.insight import Counts, InsightService
from flagstone.portal.catalog.service.locations import LocationService
from flagstone.portal.catalog.service.records import RecordService
from flagstone.portal.catalog.web.views import EntityLink, href_of, link_of
from flagstone.sdk import CardContext, Rendered
from flagstone.sdk.guards import permit
from flagstone.toolkit.web.pages import Pages

GROUPS = (
    ("files", "Files", "files"),
    ("sources", "Sources", "sources"),
    ("doubles", "Declared twice", "doubles"),
    ("references", "References", "references"),
    ("owners", "Owners", "dangling_owners"),
    ("ownerless", "Without owner", "ownerless"),
    ("orphans", "Orphans", "orphans"),
    ("removed", "Removed", "removed"),
)
_RELATIONS = 200
Reader = Annotated[Principal, permit("catalog.location.read")]


@dataclass(frozen=True, slots=True)
class ProblemsPage:
    """One group of what is wrong."""

    show: str
    groups: Sequence[tuple[str, str, int]]
    total: int
    problems: Sequence[tuple[CatalogProblem, str | None]]
    entities: Sequence[EntityLink]
    owners: Sequence[tuple[EntityLink, int]]
    dangling: Sequence[tuple[Relation, str]]
    orphans: Sequence[tuple[EntityLink, str]]
    removed: Sequence[Any]
    held: Sequence[Location]
    more: str | None
    may_confirm: bool
    may_restore: bool


def health_routes(
    routes: APIRouter,
    insight: InsightService,
    catalog: CatalogService,
    records: RecordService,
    locations: LocationService,
    access: AccessService,
    pages: Pages,
) -> None:
    """``/catalog/problems`` and bringing removed entities back."""
    views = HealthViews(insight, catalog, records, locations, access)

    @routes.get("/catalog/problems")
    def problems(request: Request, principal: Reader, show: str = "", cursor: str | None = None) -> Response:
        return pages.render(request, "catalog/problems.html", views.page(principal, show, cursor))

    @routes.post("/catalog/removed/restore")
    def restore(
        request: Request,
        principal: Annotated[Principal, permit("catalog.location.create")],
        ref: Annotated[str, Form()],
    ) -> Response:
        target = href_of(insight.restore(principal, ref).ref)
        if request.headers.get("hx-request"):
            return Response(status_code=204, headers={"HX-Redirect": target})
        return RedirectResponse(target, 303)


class HealthViews:
    """Builds the page."""

    def __init__(
        self,
        insight: InsightService,
        catalog: CatalogService,
        records: RecordService,
        locations: LocationService,
        access: AccessService,
    ) -> None:
        self._insight = insight
        self._catalog = catalog
        self._records = records
        self._locations = locations
        self._access = access

    def page(self, principal: Principal, show: str, cursor: str | None) -> ProblemsPage:
        """The wanted group, or the first that has something."""
        counts = self._insight.counts()
        groups = [(name, label, int(getattr(counts, field))) for name, label, field in GROUPS]
        filled = [name for name, _, number in groups if number and name != "removed"]
        chosen = show if show in [name for name, _, _ in groups] else (filled or ["files"])[0]
        problems, entities, removed, following = self._paged(chosen, cursor)
        kinds = self._catalog.kinds
        orphans = self._insight.orphans()[0] if chosen == "orphans" else []
        places = {item.id: item.ref for item in self._store_locations([place for _, place in orphans])}
        rows = self._catalog.rows([ref for ref, _ in orphans])
        owners = self._insight.dangling_owners() if chosen == "owners" else []
        return ProblemsPage(
            show=chosen,
            groups=groups,
            total=counts.wrong,
            problems=problems,
            entities=entities,
            owners=[(link_of(ref, None, kinds), number) for ref, number in owners],
            dangling=[(item, href_of(item.source)) for item in self._records.dangling(_RELATIONS)]
            if chosen == "references"
            else [],
            orphans=[
                (link_of(ref, rows.get(ref), kinds), places.get(place, "a location that is gone"))
                for ref, place in orphans
            ],
            removed=removed,
            held=self._locations.list(states=("held",)).items,
            more=f"/catalog/problems?show={chosen}&cursor={following}" if following else None,
            may_confirm=self._access.possible(principal, "catalog.location.delete").allowed,
            may_restore=self._access.possible(principal, "catalog.location.create").allowed,
        )

    def _store_locations(self, ids: Sequence[str]) -> list[Location]:
        found = (self._locations.find(id_) for id_ in dict.fromkeys(ids))
        return [item for item in found if item is not None]

    def _paged(
        self, chosen: str, cursor: str | None
    ) -> tuple[Sequence[tuple[CatalogProblem, str | None]], Sequence[EntityLink], Sequence[Any], str | None]:
        if chosen in ("files", "sources", "doubles"):
            page = self._records.problems(codes=self._insight.codes(chosen), cursor=cursor)
            shown = [(item, href_of(item.entity_ref) if item.entity_ref else None) for item in page.items]
            return shown, (), (), page.next_cursor
        if chosen == "ownerless":
            rows = self._insight.ownerless(cursor=cursor)
            return (), [link_of(row.ref, row, self._catalog.kinds) for row in rows.items], (), rows.next_cursor
        if chosen == "removed":
            gone = self._insight.removed(cursor=cursor)
            return (
                (),
                (),
                [(item, link_of(item.ref, None, self._catalog.kinds)) for item in gone.items],
                gone.next_cursor,
            )
        return (), (), (), None


class HealthCard:
    """How much is wrong, on the home page."""

    id = "catalog.health"
    slot = "home.side"
    order = 40
    lazy = True

    def __init__(self, insight: InsightService) -> None:
        self._insight = insight

    def applies(self, ctx: CardContext) -> bool:
        """On the home page."""
        return ctx.entity is None

    def render(self, ctx: CardContext) -> Rendered:
        """Only what there is something of."""
        counts: Counts = self._insight.counts()
        shown = [
            (label, int(getattr(counts, field)), f"/catalog/problems?show={name}")
            for name, label, field in GROUPS
            if name != "removed" and getattr(counts, field)
        ]
        if counts.held:
            shown.insert(0, ("Deletions that wait", counts.held, "/catalog/problems"))
        return Rendered("catalog/_card_health.html", {"counts": shown})
