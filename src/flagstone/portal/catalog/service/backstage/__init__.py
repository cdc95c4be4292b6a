"""What the Backstage API asks of the catalog: pages by cursor, facets, ancestry, locations, validation."""

from flagstone.portal.catalog.service.backstage.locations import BackstageLocations
from flagstone.portal.catalog.service.backstage.reads import BackstageReads
from flagstone.portal.catalog.service.backstage.unprocessed import BackstageUnprocessed
from flagstone.portal.catalog.service.backstage.validation import BackstageValidation

__all__ = ["BackstageLocations", "BackstageReads", "BackstageUnprocessed", "BackstageValidation"]
