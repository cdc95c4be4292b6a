"""The catalog's tables and queries. Returns values of the model; decides nothing."""

from flagstone.portal.catalog.store.facade import CatalogStore
from flagstone.portal.catalog.store.insight import InsightStore, Removed
from flagstone.portal.catalog.store.moments import MomentStore
from flagstone.portal.catalog.store.survey import Survey
from flagstone.portal.catalog.store.tables import metadata
from flagstone.portal.catalog.store.views import SavedView, ViewStore

__all__ = ["CatalogStore", "InsightStore", "MomentStore", "Removed", "SavedView", "Survey", "ViewStore", "metadata"]
