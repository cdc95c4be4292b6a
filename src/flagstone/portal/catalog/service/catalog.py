"""Reading the catalog: what other slices, pages and the API ask."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import NotFound
from flagstone.kernel.paging import Page
from flagstone.kernel.refs import parse_ref
from flagstone.portal.catalog.model import CatalogQuery, Entity, EntityRow, FacetValue, Graph, RelatedEntity, Relation
from flagstone.portal.catalog.model.kinds import KindRegistry
from flagstone.portal.catalog.service.backstage.cache import RevisionCache
from flagstone.portal.catalog.store import CatalogStore, Survey

FACETS = ("kinds", "owners", "types", "lifecycles", "tags")
MAX_FACET = 200
MAX_GRAPH = 60
T = TypeVar("T")
Direction = Literal["both", "out", "in"]


_COUNTS_BYTES = 1_000_000
_FACETS_BYTES = 4_000_000
_TITLES_BYTES = 500_000
_SURVEYS = 2
"""How many lists of words are kept: one of ten thousand entities takes 4 MB, the largest 14 MB."""


def _unpaged(query: CatalogQuery) -> CatalogQuery:
    """What decides about counts: the order and the page do not."""
    return replace(query, sort="name", descending=False, cursor=None, limit=None, count=False)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one page has read already; a row that is not there is None."""

    entities: dict[str, Entity] = field(default_factory=dict)
    rows: dict[str, EntityRow | None] = field(default_factory=dict)


class CatalogService:
    """Entities, lists, facets, relations. Reads only; every method is safe to call from any thread."""

    def __init__(self, store: CatalogStore, kinds: KindRegistry) -> None:
        self._store = store
        self.kinds = kinds
        self._kept = threading.local()
        self._counts: RevisionCache[int] = RevisionCache(_COUNTS_BYTES)
        self._titles: RevisionCache[str] = RevisionCache(_TITLES_BYTES)
        self._facets: RevisionCache[Sequence[FacetValue]] = RevisionCache(_FACETS_BYTES)
        self._surveys: deque[tuple[object, Survey | None]] = deque(maxlen=_SURVEYS)
        self._everything: deque[tuple[object, Survey | None]] = deque(maxlen=1)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What a thread reads inside is read over one connection, and an entity once: for pages that ask much."""
        with self._store.db.snapshot():
            outer = getattr(self._kept, "seen", None)
            if outer is None:
                self._kept.seen = _Seen()
            try:
                yield
            finally:
                self._kept.seen = outer

    def get(self, ref: str, *, default_kind: str | None = None) -> Entity:
        """One entity. Raises NotFound (``catalog.no_entity``), Invalid (``refs.bad_ref``)."""
        found = self.find(ref, default_kind=default_kind)
        if found is None:
            raise NotFound(
                "catalog.no_entity",
                f"There is no entity {ref} in the catalog.",
                hint="Look at /catalog, or register the file that declares it at /catalog/import.",
            )
        return found

    def find(self, ref: str, *, default_kind: str | None = None) -> Entity | None:
        """One entity, or None. Raises Invalid (``refs.bad_ref``)."""
        wanted = str(parse_ref(ref, default_kind=default_kind))
        seen: _Seen | None = getattr(self._kept, "seen", None)
        found = seen.entities.get(wanted) if seen is not None else None
        if found is None:
            found = self._store.reader.entities([wanted]).get(wanted)
            if seen is not None and found is not None:
                seen.entities[wanted] = found
        return found

    def get_many(self, refs: Collection[str]) -> dict[str, Entity]:
        """Whole entities by ref, one query; those that are not there are left out."""
        return self._store.reader.entities(refs)

    def rows(self, refs: Collection[str]) -> dict[str, EntityRow]:
        """The short form of entities by ref, one query; those that are not there are left out."""
        seen: _Seen | None = getattr(self._kept, "seen", None)
        if seen is None:
            return self._store.reader.rows(refs)
        wanted = {ref.lower() for ref in refs}
        unknown = wanted - seen.rows.keys()
        if unknown:
            found = self._store.reader.rows(unknown)
            seen.rows.update({ref: found.get(ref) for ref in unknown})
        return {ref: row for ref in wanted if (row := seen.rows[ref]) is not None}

    def titles(self, refs: Collection[str]) -> dict[str, str]:
        """What entities are called; empty for those that are not there. Remembered for the revision of the catalog."""
        revision = self._store.revision()
        found = {ref: title for ref in refs if (title := self._titles.get(revision, ref)) is not None}
        missing = [ref for ref in refs if ref not in found]
        rows = self.rows(missing) if missing else {}
        for ref in missing:
            found[ref] = rows[ref].title if ref in rows else ""
            self._titles.put(revision, ref, found[ref], len(ref) + len(found[ref]))
        return found

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
            survey = self._survey(revision, query) if query.text else None
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
        wanted = replace(_unpaged(query), kinds=(), types=(), lifecycles=(), owners=None, tags=())
        if not wanted.text and wanted != CatalogQuery():
            return None
        kept = self._surveys if wanted.text else self._everything
        for known, found in tuple(kept):
            if known == (revision, wanted):
                return found
        survey = self._store.reader.survey(wanted)
        kept.append(((revision, wanted), survey))
        return survey

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

    def related(self, ref: str, types: Collection[str] = ()) -> Sequence[RelatedEntity]:
        """The neighbours of an entity with what is known of them, by relation, then ref."""
        found = self._store.reader.relations([str(parse_ref(ref))], types)
        rows = self.rows({relation.target for relation in found})
        return [RelatedEntity(relation.type, relation.target, rows.get(relation.target)) for relation in found]

    def graph(
        self,
        ref: str,
        *,
        depth: int = 1,
        types: Collection[str] = (),
        direction: Direction = "both",
        kinds: Collection[str] = (),
        limit: int = MAX_GRAPH,
    ) -> Graph:
        """Entities around one, nearest first, at most ``limit`` of them; edges run in the declared direction.

        ``types`` are relation names of either direction, ``kinds`` those of the entities to walk over (none: all).
        ``direction``: ``out`` follows what the entity needs and is part of, ``in`` who needs it and is part of it.
        """
        root = str(parse_ref(ref))
        wanted = {*types, *(self.kinds.opposites[name] for name in types if name in self.kinds.opposites)}
        distance = {root: 0}
        frontier = [root]
        edges: set[Relation] = set()
        hidden: set[str] = set()
        for level in range(1, depth + 1):
            following: list[str] = []
            for edge in self._store.reader.relations(frontier, wanted):
                if direction != "both" and (edge.type in self.kinds.forward) != (direction == "out"):
                    continue
                if kinds and edge.target != root and edge.target.partition(":")[0] not in kinds:
                    continue
                if edge.target not in distance:
                    if len(distance) >= limit:
                        hidden.add(edge.target)
                        continue
                    distance[edge.target] = level
                    following.append(edge.target)
                edges.add(self._declared_direction(edge))
            frontier = following
            if not frontier:
                break
        rows = self.rows(distance)
        ordered = sorted(edges, key=lambda edge: (edge.source, edge.type, edge.target))
        return Graph(root, tuple(distance), rows, tuple(ordered), distance, len(hidden))

    def _declared_direction(self, edge: Relation) -> Relation:
        opposite = self.kinds.opposites.get(edge.type)
        if edge.type in self.kinds.forward or opposite is None:
            return edge
        return Relation(edge.target, opposite, edge.source)

    def groups_of(self, user_ref: str) -> frozenset[str]:
        """The groups a user is in, and the groups above those. For ownership: who is in a team is in its department."""
        return self._store.groups_of(user_ref.lower())

    def revision(self) -> int:
        """A number that grows with every change of the catalog: what caches are keyed by."""
        return self._store.revision()
