"""Pages below ``/batches``."""

from __future__ import annotations

from fastapi import APIRouter

from flagstone.portal.batches.service import BatchReader
from flagstone.portal.batches.web.listing import listing_routes
from flagstone.portal.batches.web.making import Making, making_routes
from flagstone.toolkit.web.pages import Pages

__all__ = ["Making", "router"]


def router(making: Making, reader: BatchReader, pages: Pages) -> APIRouter:
    """All of them; what makes comes before what takes any id."""
    routes = APIRouter(include_in_schema=False)
    making_routes(routes, making, pages)
    listing_routes(routes, reader, pages)
    return routes
