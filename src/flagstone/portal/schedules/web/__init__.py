"""Pages below ``/schedules``."""

from __future__ import annotations

from fastapi import APIRouter

from flagstone.portal.schedules.service import ScheduleService, VersionService
from flagstone.portal.schedules.web.changing import changing_routes
from flagstone.portal.schedules.web.listing import listing_routes
from flagstone.portal.schedules.web.making import making_routes
from flagstone.toolkit.web.pages import Pages

__all__ = ["router"]


def router(service: ScheduleService, versions: VersionService, pages: Pages) -> APIRouter:
    """All of them; what makes and changes comes before what takes any id."""
    routes = APIRouter(include_in_schema=False)
    making_routes(routes, service, pages)
    changing_routes(routes, service, versions, pages)
    listing_routes(routes, service, versions, pages)
    return routes
