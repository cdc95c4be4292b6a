"""Pages below ``/resources``."""

from __future__ import annotations

from fastapi import APIRouter

from flagstone.portal.resources.web.asking import asking_routes
from flagstone.portal.resources.web.listing import listing_routes
from flagstone.portal.resources.web.parts import Parts
from flagstone.portal.resources.web.removing import removing_routes

__all__ = ["Parts", "router"]


def router(parts: Parts) -> APIRouter:
    """All of them; what asks comes before what takes any id."""
    routes = APIRouter(include_in_schema=False)
    asking_routes(routes, parts)
    removing_routes(routes, parts)
    listing_routes(routes, parts)
    return routes
