"""Reading the catalog: what other slices, pages and the API ask. Lists and what is counted are in ``lists``."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from flagstone.kernel.errors import NotFound
from flagstone.kernel.refs import parse_ref
from flagstone.portal.catalog.model import Entity, EntityRow, Graph, RelatedEntity, Relation
from flagstone.portal.catalog.model.kinds import KindRegistry
from flagstone.portal.catalog.service.backstage.cache import RevisionCache
from flagstone.portal.catalog.service.lists import EntityLists
from flagstone.portal.catalog.store import CatalogStore

MAX_GRAPH = 60
Direction = Literal["both", "out", "in"]
_TITLES_BYTES = 500_000


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one page has read already; a row that is not there is None."""

    entities: dict[str, Entity] = field(default_factory=dict)
    rows: dict[str, EntityRow | None] = field(default_factory=dict)


class CatalogService(EntityLists):
    """Entities, lists, facets, relations. Reads only; every method is safe to call from any thread."""

    def __init__(self, store: CatalogStore, kinds: KindRegistry) -> None:
        super().__init__(store)
        self.kinds = kinds
        self._kept = threading.local()
        self._titles: RevisionCache[str] = RevisionCache(_TITLES_BYTES)

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
        seen: _Seen | None = getattr(self._kept, "seen", None)
        if seen is None:
            return self._store.reader.entities(refs)
        wanted = dict.fromkeys(ref.lower() for ref in refs)
        unknown = wanted.keys() - seen.entities.keys()
        if unknown:
            seen.entities.update(self._store.reader.entities(unknown))
        return {ref: seen.entities[ref] for ref in wanted if ref in seen.entities}

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
