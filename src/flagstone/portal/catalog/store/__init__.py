"""The catalog's tables and queries. Returns values of the model; decides nothing."""

from flagstone.portal.catalog.store.facade import CatalogStore
from flagstone.portal.catalog.store.tables import metadata

__all__ = ["CatalogStore", "metadata"]
