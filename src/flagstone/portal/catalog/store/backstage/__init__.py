"""Reading for the Backstage API: pages, lists, facets by predicate, and documents as stored.

``reader`` puts the parts together: ``asking`` (connections), ``documents``, ``facets``, ``terms`` (parts of names).
"""

from flagstone.portal.catalog.store.backstage.asking import Found, Places, Selection
from flagstone.portal.catalog.store.backstage.reader import BackstageReader

__all__ = ["BackstageReader", "Found", "Places", "Selection"]
