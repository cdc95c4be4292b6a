"""Addresses of the pages of one entity: overview, relations, docs, source, history."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from flagstone.foundation.access import AccessService
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import NotFound
from flagstone.portal.catalog.service.catalog import CatalogService
from flagstone.portal.catalog.service.insight import InsightService
from flagstone.portal.catalog.service.locations import LocationService
from flagstone.portal.catalog.service.records import RecordService, StarService
from flagstone.portal.catalog.web.cards import CardRegistry
from flagstone.portal.catalog.web.entity_views import EntityViews
from flagstone.sdk.guards import permit
from flagstone.toolkit.web.once import page as page_of_parts
from flagstone.toolkit.web.pages import Pages

_PATH = "/catalog/{kind}/{namespace}/{name}"
_MAX_DEPTH = 4
Reader = Annotated[Principal, permit("catalog.entity.read")]


def entity_routes(
    routes: APIRouter,
    catalog: CatalogService,
    records: RecordService,
    stars: StarService,
    locations: LocationService,
    access: AccessService,
    cards: CardRegistry,
    pages: Pages,
    insight: InsightService,
) -> None:
    """Everything below ``/catalog/{kind}/{namespace}/{name}``, and the cards that load by themselves."""
    views = EntityViews(catalog, records, stars, locations, access, cards, insight)
    _reading(routes, views, pages)
    _changing(routes, views, pages)
    _acting(routes, views, pages)


def _reading(routes: APIRouter, views: EntityViews, pages: Pages) -> None:
    @routes.get("/catalog/_cards/{card_id}")
    def card(request: Request, principal: Reader, card_id: str, entity: str = "") -> Response:
        return Response(views.card(card_id, entity, principal, request), media_type="text/html")

    @routes.get(_PATH)
    def overview(request: Request, principal: Reader, kind: str, namespace: str, name: str, at: str = "") -> Response:
        elsewhere = views.canonical(kind, namespace, name)
        if elsewhere is not None:
            return RedirectResponse(elsewhere, 308)
        with views.snapshot(), page_of_parts():
            try:
                head = views.head(kind, namespace, name, principal, request)
            except NotFound:
                removed = views.removed(kind, namespace, name, principal)
                if removed is None:
                    raise
                return pages.render(request, "catalog/removed.html", removed, status=404)
            if at:
                return pages.render(request, "catalog/moment.html", views.moment(head, at))
            return pages.render(request, "catalog/entity.html", views.overview(head, principal, request))

    @routes.get(f"{_PATH}/relations")
    def relations(
        request: Request,
        principal: Reader,
        kind: str,
        namespace: str,
        name: str,
        type: Annotated[list[str], Query(default_factory=list)],  # noqa: A002  the word in the address
        only: Annotated[list[str], Query(default_factory=list)],
        depth: int = 2,
        direction: str = "both",
    ) -> Response:
        head = views.head(kind, namespace, name, principal, request)
        page = views.relations(head, min(max(depth, 1), _MAX_DEPTH), direction, type, only)
        return pages.render(request, "catalog/relations.html", page)

    @routes.get(f"{_PATH}/docs")
    def docs(request: Request, principal: Reader, kind: str, namespace: str, name: str) -> Response:
        return pages.render(
            request, "catalog/docs.html", views.docs(views.head(kind, namespace, name, principal, request))
        )


def _changing(routes: APIRouter, views: EntityViews, pages: Pages) -> None:
    @routes.get(f"{_PATH}/source")
    def source(request: Request, principal: Reader, kind: str, namespace: str, name: str) -> Response:
        head = views.head(kind, namespace, name, principal, request)
        return pages.render(request, "catalog/source.html", views.source(head, principal))

    @routes.get(f"{_PATH}/history")
    def history(
        request: Request,
        principal: Reader,
        kind: str,
        namespace: str,
        name: str,
        cursor: str | None = None,
        start: Annotated[str, Query(alias="from")] = "",
        end: Annotated[str, Query(alias="to")] = "",
        split: str = "",
    ) -> Response:
        head = views.head(kind, namespace, name, principal, request)
        page = views.history(head, cursor, start=start, end=end, split=split == "1")
        return pages.render(request, "catalog/history.html", page, fragment="catalog/_history.html" if cursor else None)


def _acting(routes: APIRouter, views: EntityViews, pages: Pages) -> None:
    @routes.post(f"{_PATH}/star")
    def star(
        request: Request,
        principal: Annotated[Principal, permit("catalog.entity.star")],
        kind: str,
        namespace: str,
        name: str,
    ) -> Response:
        return pages.render(request, "catalog/_star.html", views.toggle_star(kind, namespace, name, principal))

    @routes.post(f"{_PATH}/refresh")
    def refresh(
        principal: Annotated[Principal, permit("catalog.entity.refresh")],
        request: Request,
        kind: str,
        namespace: str,
        name: str,
    ) -> Response:
        found = views.records.refresh(principal, f"{kind}:{namespace}/{name}")
        target = f"/catalog/{found.path}" if found is not None else "/catalog"
        if request.headers.get("hx-request"):
            return Response(status_code=204, headers={"HX-Redirect": target})
        return RedirectResponse(target, 303)
