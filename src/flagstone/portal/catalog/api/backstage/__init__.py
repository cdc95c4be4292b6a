"""``/api/catalog``: the catalog API that Backstage's clients speak, to the letter where they depend on it.

Answers are spliced from stored JSON. What is said once about a revision of the catalog is remembered for it.
"""

from flagstone.portal.catalog.api.backstage.direct import direct
from flagstone.portal.catalog.api.backstage.routes import BackstageServices, router
from flagstone.toolkit.web.backstage_errors import error_response

PREFIX = "/api/catalog"

__all__ = ["PREFIX", "BackstageServices", "direct", "error_response", "router"]
