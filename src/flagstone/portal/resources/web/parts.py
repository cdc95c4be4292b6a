"""What the pages of resources are made with."""

from __future__ import annotations

from dataclasses import dataclass

from flagstone.portal.catalog import CatalogService
from flagstone.portal.golden_paths import Pickers
from flagstone.portal.resources.service import ResourceRequests
from flagstone.toolkit.web.pages import Pages


@dataclass(frozen=True, slots=True)
class Parts:
    """Collaborators of the routes."""

    service: ResourceRequests
    catalog: CatalogService
    pickers: Pickers
    pages: Pages
