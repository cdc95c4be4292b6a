"""Pages below ``/batches``."""

from __future__ import annotations

from fastapi import APIRouter

from flagstone.portal.batches.service import BatchReader
from flagstone.portal.batches.web.listing import listing_routes
from flagstone.portal.batches.web.making import making_routes
from flagstone.portal.batches.web.parts import Parts

__all__ = ["Parts", "router"]


def router(parts: Parts, reader: BatchReader) -> APIRouter:
    """All of them; what makes comes before what takes any id."""
    routes = APIRouter(include_in_schema=False)
    making_routes(routes, parts)
    listing_routes(routes, reader, parts.pages)
    return routes
