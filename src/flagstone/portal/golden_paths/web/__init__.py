"""Pages of golden paths."""

from __future__ import annotations

from fastapi import APIRouter

from flagstone.portal.golden_paths.web.gallery import gallery_routes
from flagstone.portal.golden_paths.web.options import option_routes
from flagstone.portal.golden_paths.web.parts import Parts
from flagstone.portal.golden_paths.web.wizard import Wizard, wizard_routes
from flagstone.toolkit.web.pages import Pages

__all__ = ["Parts", "router"]


def router(parts: Parts, pages: Pages) -> APIRouter:
    """All pages below ``/create``."""
    routes = APIRouter(include_in_schema=False)
    gallery_routes(routes, parts, pages)
    option_routes(routes, parts, pages)
    wizard_routes(routes, Wizard(parts, pages))
    return routes
