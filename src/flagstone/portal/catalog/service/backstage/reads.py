"""Reading entities as the Backstage API does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from flagstone.kernel.errors import NotFound
from flagstone.portal.catalog.model.cursors import Cursor, Question, encode_cursor
from flagstone.portal.catalog.model.predicates import (
    EVERYTHING,
    All,
    Predicate,
    clean,
    parse_filters,
    parse_query,
)
from flagstone.portal.catalog.service.backstage.cache import RevisionCache
from flagstone.portal.catalog.service.backstage.kept import KeptDocuments
from flagstone.portal.catalog.store import CatalogStore
from flagstone.portal.catalog.store.backstage import Found, Selection
from flagstone.portal.catalog.store.predicates import kinds_of

_MAX_PAGE = 10_000
_COUNTS_BYTES = 2_000_000
_FACETS_BYTES = 4_000_000
_FEW = 1_000
_SOON = 20_000
"""Entities of which a part of a name is found in a millisecond or two."""

Facet = list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class QueryPage:
    """A page of documents with the cursors around it. ``total`` is 0 when it was not asked for."""

    bodies: tuple[str, ...]
    total: int
    next_cursor: str | None = None
    previous_cursor: str | None = None


class BackstageReads:
    """Pages, lists, facets and single entities, as stored JSON texts. Reads only; safe from any thread."""

    def __init__(self, store: CatalogStore) -> None:
        self._store = store
        self._reader = store.backstage
        self._kept = KeptDocuments(store.backstage)
        self._counts: RevisionCache[int] = RevisionCache(_COUNTS_BYTES)
        self._mixed: RevisionCache[tuple[frozenset[str] | None]] = RevisionCache(_COUNTS_BYTES)
        self._displaying: RevisionCache[frozenset[str]] = RevisionCache(_COUNTS_BYTES)
        self._facets: RevisionCache[Facet] = RevisionCache(_FACETS_BYTES)

    @property
    def far(self) -> bool:
        """Whether asking for the revision costs as much as asking for a document."""
        return self._reader.far

    def revision(self) -> int:
        """A number that grows with every change of the catalog."""
        return self._reader.revision()

    def at(self, revision: int) -> AbstractContextManager[None]:
        """In this block the calling thread takes the catalog to be at a revision, without asking for each part."""
        return self._reader.at(revision)

    def adopt(self) -> None:
        """Let the calling thread answer short reads without a pool."""
        self._reader.adopt()

    def soon(self, question: Question) -> bool:
        """Whether a page is found so soon that changing to another thread would cost as much."""
        return question.term is None or (not self._reader.far and self._count(Selection()) <= _SOON)

    def by_name(self, kind: str, namespace: str, name: str) -> str:
        """One document, whatever the case of its ref. Raises NotFound (``catalog.no_entity``)."""
        found = self._kept.one(clean(f"{kind}:{namespace}/{name}"))
        if found is None:
            raise NotFound(
                "catalog.no_entity",
                f"No entity named '{name}' found, with kind '{kind}' in namespace '{namespace}'",
            )
        return found

    def by_uid(self, uid: str) -> str:
        """One document. Raises NotFound (``catalog.no_entity``)."""
        found = self._reader.body_of_uid(clean(uid))
        if found is None:
            raise NotFound("catalog.no_entity", f"No entity with uid {uid:.100}")
        return found

    def by_refs(self, refs: Sequence[str], predicate: Predicate) -> list[str | None]:
        """Documents in the order of the refs; None for what is not there, does not match or is not in lower case."""
        wanted = list(dict.fromkeys(refs))
        if "\0" in "".join(wanted):
            wanted = [ref for ref in wanted if "\0" not in ref]
        found = self._kept.many(wanted) if predicate == EVERYTHING else self._reader.bodies(wanted, predicate)
        return [*map(found.get, refs)]

    def facets(self, keys: Sequence[str], predicate: Predicate) -> dict[str, Facet]:
        """Values with counts for each key, as asked."""
        return {key: self._facet(clean(key), predicate) for key in dict.fromkeys(keys)}

    def _facet(self, key: str, predicate: Predicate) -> Facet:
        revision = self._reader.revision()
        found = self._facets.get(revision, (key, predicate))
        if found is None:
            known = self._mixed.get(revision, key)
            if known is None:
                known = (self._reader.mixed(key),)
                self._mixed.put(revision, key, known, 100 * len(known[0] or ()))
            few = predicate != EVERYTHING and self._count(Selection(predicate)) <= _FEW
            found = self._reader.facet(key, predicate, known[0], few=few)
            self._facets.put(revision, (key, predicate), found, 150 * len(found) + len(repr(predicate)))
        return found

    def listed(
        self,
        predicate: Predicate,
        order: Sequence[tuple[str, bool]],
        *,
        paged: bool,
        limit: int | None = None,
        offset: int = 0,
    ) -> Iterator[list[str]]:
        """Documents in batches; lazily read."""
        keys = [(clean(field), down) for field, down in order]
        ids = self._reader.ids(predicate, keys, paged=paged, limit=limit, offset=offset)
        return self._reader.batches(ids)

    def query(
        self, question: Question, *, limit: int, offset: int = 0, cursor: Cursor | None = None, counted: bool = True
    ) -> QueryPage:
        """A page of the answer to a question. Raises Invalid for a filter or query that makes no sense."""
        wanted = _selection(question)
        if wanted.term is not None and not self._reader.far:
            wanted = replace(wanted, displayed=self._displayed(wanted.predicate))
        if wanted.term is not None and cursor is None and offset == 0 and 0 < limit <= _MAX_PAGE:
            rows, expected = self._first(wanted, limit + 1)
            total = expected if counted else 0
            return _page(question, rows[:limit], total, None, more=len(rows) > limit, backwards=False, offset=0)
        expected = self._count(wanted)
        total = (cursor.total if cursor and cursor.total is not None else expected) if counted else 0
        limit = min(limit, _MAX_PAGE)
        if limit == 0:
            return QueryPage((), total)
        backwards = cursor is not None and cursor.previous
        found = self._reader.page(
            wanted,
            limit + 1,
            expected=expected,
            everything=self._count(Selection()),
            offset=offset,
            after=cursor.position if cursor else None,
            backwards=backwards,
        )
        more, found = len(found) > limit, found[:limit]
        if backwards:
            found.reverse()
        return _page(question, found, total, cursor, more=more, backwards=backwards, offset=offset)

    def _first(self, wanted: Selection, limit: int) -> tuple[list[Found], int]:
        if self._reader.far:
            places = self._reader.places(wanted, limit)
            bodies = self._kept.of([ref for _, _, ref in places.rows], places.revision)
            if bodies is not None:
                rows = [Found(row[0], row[1], body) for row, body in zip(places.rows, bodies, strict=True)]
                return rows, places.total
        return self._reader.first(wanted, limit)

    def _displayed(self, predicate: Predicate) -> bool:
        kinds = kinds_of(predicate)
        if not kinds:
            return True
        revision = self._reader.revision()
        known = self._displaying.get(revision, "")
        if known is None:
            known = self._reader.displaying()
            self._displaying.put(revision, "", known, 0)
        return not known.isdisjoint(kinds)

    def _count(self, wanted: Selection) -> int:
        revision = self._reader.revision()
        key = (wanted.predicate, wanted.order, wanted.term, wanted.term_keys)
        found = self._counts.get(revision, key)
        if found is None:
            found = self._reader.count(wanted)
            self._counts.put(revision, key, found, len(repr(key)))
        return found


def selection_of(filters: Sequence[str], query: object = None) -> Predicate:
    """What ``filter`` parameters and a ``query`` of a body mean together."""
    parts = [parse_filters(filters)] if filters else []
    if query is not None:
        parts.append(parse_query(query))
    return EVERYTHING if not parts else parts[0] if len(parts) == 1 else All(tuple(parts))


def _selection(question: Question) -> Selection:
    query = None if question.query is None else json.loads(question.query)
    order = clean(question.order[0]) if question.order else None
    term = clean(question.term) if question.term else None
    keys = tuple(clean(field) for field in question.term_fields) or (order or "metadata.uid",)
    predicate = selection_of(question.filters, query)
    return Selection(predicate, order, bool(question.order and question.order[1]), term, keys if term else ())


def _page(
    question: Question,
    found: list[Found],
    total: int,
    cursor: Cursor | None,
    *,
    more: bool,
    backwards: bool,
    offset: int,
) -> QueryPage:
    bodies = tuple(item.body for item in found)
    if not found:
        return QueryPage(bodies, total)
    first = cursor.first if cursor else found[0].position

    def place(item: Found, *, previous: bool) -> str:
        return encode_cursor(Cursor(question, item.position, first, previous, total))

    return QueryPage(
        bodies,
        total,
        place(found[-1], previous=False) if more or backwards else None,
        place(found[0], previous=True) if (more if backwards else cursor is not None or offset > 0) else None,
    )
