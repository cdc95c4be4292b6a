"""Pages of lists, and what is counted over them, remembered for a revision of the catalog.

Does not belong here: single entities and what is around them (``catalog``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from flagstone.kernel.actor import Principal
from flagstone.kernel.paging import Page
from flagstone.portal.catalog.model import CatalogQuery, EntityRow, FacetValue
from flagstone.portal.catalog.service.backstage.cache import RevisionCache
from flagstone.portal.catalog.store import CatalogStore, Survey

FACETS = ("kinds", "owners", "types", "lifecycles", "tags")
MAX_FACET = 200
T = TypeVar("T")

_COUNTS_BYTES = 1_000_000
_FACETS_BYTES = 4_000_000
_SURVEYS = 2
"""How many lists of words are kept: one of ten thousand entities takes 4 MB, the largest 14 MB."""


def _unpaged(query: CatalogQuery) -> CatalogQuery:
    """What decides about counts: the order and the page do not."""
    return replace(query, sort="name", descending=False, cursor=None, limit=None, count=False)


def _unfiltered(query: CatalogQuery) -> CatalogQuery:
    """Without the fields that facets count."""
    return replace(_unpaged(query), kinds=(), types=(), lifecycles=(), owners=None, tags=())


class EntityLists:
    """Lists, counts, facets. Reads only; every method is safe to call from any thread."""

    def __init__(self, store: CatalogStore) -> None:
        self._store = store
        self._counts: RevisionCache[int] = RevisionCache(_COUNTS_BYTES)
        self._facets: RevisionCache[Sequence[FacetValue]] = RevisionCache(_FACETS_BYTES)
        self._surveys: deque[tuple[object, Survey | None]] = deque(maxlen=_SURVEYS)
        self._everything: deque[tuple[object, Survey | None]] = deque(maxlen=1)

    def list(self, query: CatalogQuery) -> Page[EntityRow]:
        """A page of rows."""
        return self._counted(self._store.reader.page(replace(query, count=False)), query)

    def texts(self, query: CatalogQuery) -> Page[str]:
        """The same page as JSON texts, ready to be sent."""
        return self._counted(self._store.reader.texts(replace(query, count=False)), query)

    def _counted(self, page: Page[T], query: CatalogQuery) -> Page[T]:
        return replace(page, total=self.count(query)) if query.count else page

    def count(self, query: CatalogQuery) -> int:
        """How many entities match. Remembered for the revision of the catalog; everybody may see the same entities."""
        if query.starred_by is not None:
            return self._store.reader.count(query)
        revision, key = self._store.revision(), _unpaged(query)
        found = self._counts.get(revision, key)
        if found is None:
            # A number alone is no reason to look at everything in every way.
            survey = self._surveyed(revision, query)
            counted = survey is not None and survey.can_count(query)
            found = survey.count(query) if survey and counted else self._store.reader.count(query)
            self._counts.put(revision, key, found, len(repr(key)))
        return found

    def facets(self, query: CatalogQuery, names: Sequence[str] = FACETS) -> dict[str, Sequence[FacetValue]]:
        """Values with counts for each field, each as if it were not filtered itself."""
        revision = self._store.revision()
        return {name: self._facet(revision, query, name) for name in names}

    def _facet(self, revision: int, query: CatalogQuery, name: str) -> Sequence[FacetValue]:
        if query.starred_by is not None:
            return self._store.reader.facet(query, name, limit=MAX_FACET)
        own: dict[str, Any] = {name: None if name == "owners" else ()}
        key = (name, replace(_unpaged(query), **own))
        found = self._facets.get(revision, key)
        if found is None:
            survey = self._survey(revision, query)
            if survey is not None and survey.can_count(query, name):
                found = survey.facet(query, name, limit=MAX_FACET)
            else:
                found = self._store.reader.facet(query, name, limit=MAX_FACET)
            self._facets.put(revision, key, found, 150 * len(found) + len(repr(key)))
        return found

    def _survey(self, revision: int, query: CatalogQuery) -> Survey | None:
        """What can be counted without the database: what the words of a query find, or everything there is."""
        wanted = _unfiltered(query)
        if not wanted.text and wanted != CatalogQuery():
            return None
        kept = self._surveys if wanted.text else self._everything
        for known, found in tuple(kept):
            if known == (revision, wanted):
                return found
        survey = self._store.reader.survey(wanted)
        kept.append(((revision, wanted), survey))
        return survey

    def _surveyed(self, revision: int, query: CatalogQuery) -> Survey | None:
        """The same, when somebody has looked already."""
        key = (revision, _unfiltered(query))
        return next((found for known, found in (*self._surveys, *self._everything) if known == key), None)

    def values(self, query: CatalogQuery, key: str) -> Sequence[FacetValue]:
        """Values of any field (``spec.type``, ``metadata.tags``) as written, with counts, by value."""
        return self._store.reader.values(query, key)

    def options(self, kinds: str | Collection[str] = (), text: str = "", limit: int = 20) -> Sequence[EntityRow]:
        """Entities to choose from in a form, best match first."""
        wanted = (kinds,) if isinstance(kinds, str) else kinds
        return self._store.reader.options([kind for kind in wanted if kind], text, min(limit, 100))

    def owned(self, principal: Principal, query: CatalogQuery | None = None) -> Page[EntityRow]:
        """A page of what the principal owns, itself or through its groups."""
        return self.list(replace(query or CatalogQuery(), owners=tuple(sorted(principal.owner_refs))))

    def revision(self) -> int:
        """A number that grows with every change of the catalog: what caches are keyed by."""
        return self._store.revision()
