"""Pages of golden paths."""

from __future__ import annotations

from fastapi import APIRouter

from flagstone.portal.golden_paths.service import DraftService, GoldenPathService, Pickers
from flagstone.portal.golden_paths.web.gallery import gallery_routes
from flagstone.portal.golden_paths.web.wizard import Wizard, wizard_routes
from flagstone.toolkit.web.pages import Pages


def router(paths: GoldenPathService, drafts: DraftService, pickers: Pickers, pages: Pages) -> APIRouter:
    """All pages below ``/create``."""
    routes = APIRouter(include_in_schema=False)
    gallery_routes(routes, paths, drafts, pages)
    wizard_routes(routes, Wizard(paths, drafts, pickers, pages))
    return routes
