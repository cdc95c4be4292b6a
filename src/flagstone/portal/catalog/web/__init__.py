"""Pages of the catalog: list, entity, relations, source, history, registering, problems; and the cards of plugins."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter

from flagstone.foundation.access import AccessService
from flagstone.portal.catalog.service.catalog import CatalogService
from flagstone.portal.catalog.service.insight import InsightService
from flagstone.portal.catalog.service.locations import LocationService
from flagstone.portal.catalog.service.moments import MomentService
from flagstone.portal.catalog.service.records import RecordService, StarService
from flagstone.portal.catalog.service.views import ViewService
from flagstone.portal.catalog.web.cards import CardRegistry
from flagstone.portal.catalog.web.entity import entity_routes
from flagstone.portal.catalog.web.health import health_routes
from flagstone.portal.catalog.web.listing import list_routes
from flagstone.portal.catalog.web.past import past_routes
from flagstone.portal.catalog.web.register import register_routes
from flagstone.portal.catalog.web.saved import saved_routes
from flagstone.toolkit.web.pages import Pages


@dataclass(frozen=True, slots=True)
class Services:
    """What the pages stand on."""

    catalog: CatalogService
    records: RecordService
    stars: StarService
    locations: LocationService
    access: AccessService
    cards: CardRegistry
    pages: Pages
    insight: InsightService
    views: ViewService
    moments: MomentService


def router(services: Services) -> APIRouter:
    """All pages below ``/catalog``."""
    routes = APIRouter(include_in_schema=False)
    s = services
    register_routes(routes, s.locations, s.access, s.pages)
    health_routes(routes, s.insight, s.catalog, s.records, s.locations, s.access, s.pages)
    past_routes(routes, s.moments, s.catalog, s.pages)
    list_routes(routes, s.catalog, s.stars, s.views, s.access, s.pages)
    saved_routes(routes, s.catalog, s.views)
    entity_routes(routes, s.catalog, s.records, s.stars, s.locations, s.access, s.cards, s.pages, s.insight)
    return routes
