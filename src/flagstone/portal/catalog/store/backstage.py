"""Reading for the Backstage API: pages, lists and facets by predicate, as statements of text, and documents as stored.

A page is found in one of two ways: walking along the order and testing each entity, or collecting what fits and
sorting that. Which one is cheaper follows from how many fit, so the caller passes that number.
"""

# ruff: noqa: S608  only names of our own tables are spliced, every value is bound

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy.exc import DBAPIError

from flagstone.portal.catalog.model.cursors import Position
from flagstone.portal.catalog.model.predicates import EVERYTHING, Predicate
from flagstone.portal.catalog.model.search_rows import MAX_LENGTH
from flagstone.portal.catalog.store.predicates import Sql, in_names, with_lifecycles
from flagstone.toolkit.db import PortalDatabase

_IN_ALL = frozenset({"kind", "apiversion", "metadata.name", "metadata.namespace", "metadata.uid"})
_ONCE = _IN_ALL | {"metadata.title", "metadata.description"}
_BATCH = 500
_CACHE_KB = 8_000
_GRAM = 3
_DISPLAYED = "spec.profile.displayname"
_NAMES = frozenset({"metadata.name", "metadata.title", _DISPLAYED})
_NAMES_SQL = ", ".join(f"'{key}'" for key in sorted(_NAMES))
_PARTS = "catalog_search_parts"
"""PostgreSQL's index of three letters, where it could be made (see the migration)."""
_INDEXED = frozenset({frozenset({"metadata.name"}), frozenset({"metadata.name", "metadata.title", _DISPLAYED})})
"""Keys of which parts are found by an index on SQLite: what clients ask."""
_NAMED = "catalog_entities_named"
"""The index that holds the entities of a kind and type by name, with their lifecycles."""
_FOUND = "catalog_entities_found"
"""The index by id that holds names and titles beside: a fifth of the pages of the rows themselves."""
_REVISION = "SELECT value FROM catalog_cursors WHERE name = 'revision'"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entities, in which order. Keys are lower case."""

    predicate: Predicate = EVERYTHING
    order: str | None = None
    descending: bool = False
    term: str | None = None
    term_keys: tuple[str, ...] = ()
    displayed: bool = True
    """Whether any of them may have a displayed name (see :meth:`BackstageReader.displaying`)."""


@dataclass(frozen=True, slots=True)
class Found:
    """An entity of a page: its place in the order, its document."""

    value: str | None
    id: int
    body: str

    @property
    def position(self) -> Position:
        """For a cursor."""
        return (self.value, self.id)


class BackstageReader:
    """Queries. Knows nothing of principals: everybody who may read entities may read all of them today."""

    def __init__(self, db: PortalDatabase) -> None:
        self._db = db
        self._postgresql = not db.is_sqlite
        self.far = not db.is_sqlite
        """Whether each statement is a round trip to a server."""
        self._own = threading.local()

    @cached_property
    def indexed(self) -> bool:
        """Whether parts of names are found through an index: on PostgreSQL only where it has ``pg_trgm``."""
        if not self._postgresql:
            return True
        found = self._rows("SELECT to_regclass(%s) IS NOT NULL", (_PARTS,))
        return bool(found[0][0])

    @contextmanager
    def at(self, revision: int) -> Iterator[None]:
        """In this block :meth:`revision` answers the calling thread without asking."""
        self._own.taken = revision
        try:
            yield
        finally:
            self._own.taken = None

    def adopt(self) -> None:
        """Give the calling thread a connection of its own: for the thread that answers short reads itself."""
        if getattr(self._own, "driver", None) is not None:
            return
        try:
            pooled = self._db.engine.raw_connection()
        except DBAPIError:
            return  # the next read says so, as any other does
        driver: Any = pooled.driver_connection
        if self._postgresql:
            driver.autocommit = True
        else:
            driver.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        self._own.pooled, self._own.driver, self._own.seen = pooled, driver, None

    def revision(self) -> int:
        """How often the catalog has changed."""
        taken: int | None = getattr(self._own, "taken", None)
        if taken is not None:
            return taken
        driver = getattr(self._own, "driver", None)
        if driver is None or self._postgresql:
            found = self._rows(_REVISION, ())
            return int(found[0][0]) if found else 0
        # SQLite tells for next to nothing whether anybody has written at all.
        version = driver.execute("PRAGMA data_version").fetchone()[0]
        if self._own.seen is None or self._own.seen[0] != version:
            row = driver.execute(_REVISION).fetchone()
            self._own.seen = (version, int(row[0]) if row else 0)
        return int(self._own.seen[1])

    def body_of_ref(self, ref: str) -> str | None:
        """The document of a ref in lower case."""
        return self._body("e.ref", ref)

    def body_of_uid(self, uid: str) -> str | None:
        """The document of an uid."""
        return self._body("e.uid", uid)

    def _body(self, column: str, value: str) -> str | None:
        sql = self._sql()
        found = self._run(
            sql,
            "SELECT d.body FROM catalog_entities e JOIN catalog_documents d ON d.entity_id = e.id"
            f" WHERE {column} = {sql.bind(value)}",
        )
        return str(found[0][0]) if found else None

    def bodies(self, refs: Sequence[str], predicate: Predicate = EVERYTHING) -> dict[str, str]:
        """Documents by ref, of those that match."""
        found: dict[str, str] = {}
        for start in range(0, len(refs), _BATCH):
            sql = self._sql(walk=True)
            rows = self._run(
                sql,
                f"SELECT e.ref, d.body FROM catalog_entities e {sql.then} catalog_documents d ON d.entity_id = e.id"
                f" WHERE {sql.one_of('e.ref', refs[start : start + _BATCH])} AND {sql.condition(predicate)}",
            )
            found.update(rows)
        return found

    def count(self, wanted: Selection) -> int:
        """How many there are; those without the order's field are not counted."""
        sql = self._sql()
        sql.lifecycles = with_lifecycles(wanted.predicate)
        where = f"{sql.condition(wanted.predicate)}{self._term(sql, wanted)}"
        if wanted.order is not None and wanted.order not in _IN_ALL:
            where += (
                f" AND e.id IN (SELECT o.entity_id FROM catalog_search o WHERE o.key = {sql.bind(wanted.order)}"
                " AND o.value IS NOT NULL)"
            )
        return int(self._run(sql, f"SELECT count(*) FROM catalog_entities e WHERE {where}")[0][0])

    def page(
        self,
        wanted: Selection,
        limit: int,
        *,
        expected: int,
        everything: int,
        offset: int = 0,
        after: Position | None = None,
        backwards: bool = False,
    ) -> list[Found]:
        """``limit`` entities behind a position, in order; ``backwards``: before it, nearest first.

        ``expected`` is how many fit, ``everything`` how many entities there are.
        """
        walk = expected * expected > (limit + offset) * everything
        named = wanted.order == "metadata.name" and wanted.term is None and in_names(wanted.predicate, walk=walk)
        sql = self._sql(walk=walk and not named)
        sql.lifecycles = with_lifecycles(wanted.predicate)
        downwards = wanted.descending != backwards
        direction = "DESC" if downwards else "ASC"
        inner = self._ordered(sql, wanted, after, direction, named=named)
        inner += f" LIMIT {sql.bind(limit)} OFFSET {sql.bind(offset)}"
        rows = self._run(
            sql,
            f"SELECT q.v, q.id, d.body FROM ({inner}) q {sql.then} catalog_documents d"
            f" ON d.entity_id = q.id ORDER BY q.v {direction}, q.id {direction}",
        )
        return [Found(*row) for row in rows]

    def first(self, wanted: Selection, limit: int) -> tuple[list[Found], int]:
        """The first ``limit`` entities, and how many there are in all, from one look at the rows: for terms, where
        finding out what fits costs more than all the rest.
        """
        sql = self._sql()
        direction = "DESC" if wanted.descending else "ASC"
        inner = self._ordered(sql, wanted, None, direction)
        rows = self._run(
            sql,
            f"SELECT q.v, q.id, d.body, q.n FROM (SELECT p.v, p.id, count(*) OVER () AS n FROM ({inner}) p"
            f" ORDER BY p.v {direction}, p.id {direction} LIMIT {sql.bind(limit)}) q"
            f" {sql.then} catalog_documents d ON d.entity_id = q.id ORDER BY q.v {direction}, q.id {direction}",
        )
        return [Found(*row[:3]) for row in rows], int(rows[0][3]) if rows else 0

    def _ordered(
        self, sql: Sql, wanted: Selection, after: Position | None, direction: str, *, named: bool = False
    ) -> str:
        if wanted.order is None:
            return self._by_id(sql, wanted, after, direction)
        if wanted.order == "metadata.name" and not sql.walk:
            return self._by_name(sql, wanted, after, direction, named=named)
        return self._by_key(sql, wanted, after, direction)

    def _by_id(self, sql: Sql, wanted: Selection, after: Position | None, direction: str) -> str:
        hint = " NOT INDEXED" if sql.walk and not sql.postgresql else ""
        text = (
            f"SELECT NULL AS v, e.id AS id FROM catalog_entities e{hint} WHERE {sql.condition(wanted.predicate)}"
            f"{self._term(sql, wanted)}"
        )
        plus = "" if sql.walk else sql.plus
        if after is not None:
            text += f" AND {plus}e.id {'<' if direction == 'DESC' else '>'} {sql.bind(after[1])}"
        return f"{text} ORDER BY {plus}e.id {direction}"

    def _by_name(self, sql: Sql, wanted: Selection, after: Position | None, direction: str, *, named: bool) -> str:
        # Names are ASCII: the database's lower() is the one that the search rows were made with.
        name = 'lower(e.name) COLLATE "C"' if sql.postgresql else "lower(e.name)"
        index = ""
        if not sql.postgresql and (named or self._by_parts(wanted)):
            index = f" INDEXED BY {_NAMED if named else _FOUND}"
        text = (
            f"SELECT {name} AS v, e.id AS id FROM catalog_entities e{index} WHERE {sql.condition(wanted.predicate)}"
            f"{self._term(sql, wanted)}"
        )
        if after is not None:
            text += f" AND ({name}, e.id) {'<' if direction == 'DESC' else '>'} ({sql.bind(*after)})"
        return f"{text} ORDER BY v {direction}, e.id {direction}"

    def _by_key(self, sql: Sql, wanted: Selection, after: Position | None, direction: str) -> str:
        if sql.walk:
            tables, key = f"catalog_search o {sql.then} catalog_entities e", "o.key"
        else:
            tables, key = f"catalog_entities e {sql.then} catalog_search o", f"{sql.plus}o.key"
        tables += " ON e.id = o.entity_id"
        text = (
            f"SELECT o.value AS v, e.id AS id FROM {tables} WHERE {key} = {sql.bind(wanted.order)}"
            f" AND o.value IS NOT NULL AND {sql.condition(wanted.predicate)}{self._term(sql, wanted)}"
        )
        if wanted.order not in _ONCE:
            text += (
                " AND NOT EXISTS (SELECT 1 FROM catalog_search x WHERE x.entity_id = o.entity_id"
                f" AND {sql.plus}x.key = o.key AND {sql.plus}x.value < o.value)"
            )
        if after is not None:
            text += f" AND (o.value, o.entity_id) {'<' if direction == 'DESC' else '>'} ({sql.bind(*after)})"
        return f"{text} ORDER BY o.value {direction}, o.entity_id {direction}"

    def _by_parts(self, wanted: Selection) -> bool:
        """Whether SQLite's index of three letters finds the term."""
        if self._postgresql or wanted.term is None or len(wanted.term) < _GRAM:
            return False
        return frozenset(wanted.term_keys) in _INDEXED

    def _term(self, sql: Sql, wanted: Selection) -> str:
        if wanted.term is None:
            return ""
        keys = wanted.term_keys
        if self._postgresql and _NAMES.issuperset(keys) and len(wanted.term) >= _GRAM and self.indexed:
            return f" AND e.id IN ({_part_of_name(sql, keys, wanted.term)})"
        if self._by_parts(wanted):
            return f" AND {_holding_part(sql, wanted.term, others=len(keys) > 1, displayed=wanted.displayed)}"
        if sql.walk and keys == (wanted.order,) and wanted.order in _ONCE:
            return f" AND {sql.holding('o.value', wanted.term)}"
        inner = f"s.key IN ({sql.bind(*keys)}) AND {sql.holding('s.value', wanted.term)}"
        if sql.walk:
            return f" AND EXISTS (SELECT 1 FROM catalog_search s WHERE s.entity_id = e.id AND {sql.plus}{inner})"
        return f" AND e.id IN (SELECT s.entity_id FROM catalog_search s WHERE {inner})"

    def ids(
        self,
        predicate: Predicate,
        order: Sequence[tuple[str, bool]],
        *,
        paged: bool,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[int]:
        """Numbers of entities, sorted by several keys.

        In pages, entities without the first keys come last; in a whole list they are left out.
        """
        sql = self._sql()
        columns = "".join(
            ", (SELECT min(s.value) FROM catalog_search s WHERE s.entity_id = e.id"
            f" AND {sql.plus}s.key = {sql.bind(key)}) AS v{number}"
            for number, (key, _) in enumerate(order)
        )
        text = f"SELECT e.id AS id, e.ref AS ref{columns} FROM catalog_entities e WHERE {sql.condition(predicate)}"
        if order:
            if not paged:
                present = " AND ".join(f"q.v{number} IS NOT NULL" for number in range(len(order)))
                text = f"SELECT q.* FROM ({text}) q WHERE {present}"
            sorting = ", ".join(
                f"q.v{number} IS NULL, q.v{number} {'DESC' if down else 'ASC'}"
                for number, (_, down) in enumerate(order)
            )
            text = f"SELECT q.id FROM ({text}) q ORDER BY {sorting}, q.{'ref' if paged else 'id'}"
        else:
            text = f"SELECT q.id FROM ({text}) q ORDER BY q.{'ref' if paged else 'id'}"
        if limit is not None:
            text += f" LIMIT {sql.bind(limit)}"
        if offset:
            text += (
                f" OFFSET {sql.bind(offset)}"
                if limit is not None or self._postgresql
                else f" LIMIT -1 OFFSET {sql.bind(offset)}"
            )
        return [row[0] for row in self._run(sql, text)]

    def batches(self, ids: Sequence[int]) -> Iterator[list[str]]:
        """Documents in this order, some hundred at a time; those that are gone meanwhile are left out."""
        for start in range(0, len(ids), _BATCH):
            part = ids[start : start + _BATCH]
            sql = self._sql()
            rows = self._run(
                sql, f"SELECT d.entity_id, d.body FROM catalog_documents d WHERE {sql.one_of('d.entity_id', part)}"
            )
            found = {row[0]: row[1] for row in rows}
            yield [found[id_] for id_ in part if id_ in found]

    def facet(
        self,
        key: str,
        predicate: Predicate = EVERYTHING,
        mixed: frozenset[str] | None = None,
        *,
        few: bool = False,
    ) -> list[tuple[str, int]]:
        """Values of a key as written, with the number of entities, by value.

        ``mixed``: what :meth:`mixed` says of the key. All other values are counted in the index alone.
        ``few``: so few entities fit that their own rows are looked at, instead of all rows of the key.
        """
        if key == "kind" and mixed is not None:
            return self._kinds(predicate)
        sql = self._sql()
        if key.startswith("relations."):
            text = (
                "SELECT r.target_ref, count(DISTINCT e.id) FROM catalog_relations r"
                " JOIN catalog_entities e ON e.ref = r.source_ref WHERE "
                f"{sql.relation_type(key.removeprefix('relations.'))} AND {sql.condition(predicate)}"
                " GROUP BY r.target_ref"
            )
            return sorted((row[0], row[1]) for row in self._run(sql, text))
        found = []
        if mixed is not None:
            where = self._of_key(sql, key, predicate, few=few)
            text = f"SELECT o.value, count(*) FROM catalog_search o WHERE {where} GROUP BY o.value"
            found = [(row[0], row[1]) for row in self._run(sql, text) if row[0] not in mixed]
            if not mixed:
                return sorted(found)
            sql = self._sql()
        where = self._of_key(sql, key, predicate, few=few)
        text = f"SELECT coalesce(o.original, o.value), count(*) FROM catalog_search o WHERE {where}"
        if mixed is not None:
            text += f" AND o.value IN ({sql.bind(*mixed)})"
        found += [(row[0], row[1]) for row in self._run(sql, f"{text} GROUP BY coalesce(o.original, o.value)")]
        return sorted(found)

    @staticmethod
    def _of_key(sql: Sql, key: str, predicate: Predicate, *, few: bool) -> str:
        where = f"{sql.plus if few else ''}o.key = {sql.bind(key)} AND o.value IS NOT NULL"
        if predicate == EVERYTHING:
            return where
        return f"{where} AND o.entity_id IN (SELECT e.id FROM catalog_entities e WHERE {sql.condition(predicate)})"

    def _kinds(self, predicate: Predicate) -> list[tuple[str, int]]:
        """Kinds by number. A kind is written in one way only, so that one entity of each tells how."""
        sql = self._sql()
        text = f"SELECT e.kind, count(*) FROM catalog_entities e WHERE {sql.condition(predicate)} GROUP BY e.kind"
        found = []
        for kind, number in self._run(sql, text):
            one = self._sql()
            written = self._run(
                one,
                "SELECT coalesce(s.original, s.value) FROM catalog_search s"
                f" WHERE s.key = 'kind' AND s.value = {one.bind(kind)} LIMIT 1",
            )
            found.append((written[0][0] if written else kind, number))
        return sorted(found)

    def displaying(self) -> frozenset[str]:
        """The kinds of which some entity has a displayed name."""
        sql = self._sql(walk=True)
        rows = self._run(
            sql,
            f"SELECT DISTINCT e.kind FROM catalog_search s {sql.then} catalog_entities e ON e.id = s.entity_id"
            f" WHERE s.key = {sql.bind(_DISPLAYED)}",
        )
        return frozenset(row[0] for row in rows)

    def mixed(self, key: str, most: int = 500) -> frozenset[str] | None:
        """The values of a key that are written with capitals; None when they are too many to tell apart."""
        sql = self._sql()
        found = self._run(
            sql,
            f"SELECT DISTINCT o.value FROM catalog_search o WHERE o.key = {sql.bind(key)}"
            f" AND o.original IS NOT NULL LIMIT {sql.bind(most + 1)}",
        )
        return None if len(found) > most else frozenset(row[0] for row in found)

    def _sql(self, *, walk: bool = False) -> Sql:
        return Sql(postgresql=self._postgresql, walk=walk)

    def _run(self, sql: Sql, statement: str) -> Sequence[Any]:
        return self._rows(sql.text(statement), tuple(sql.values))

    def _rows(self, statement: str, values: tuple[object, ...]) -> Sequence[Any]:
        driver = getattr(self._own, "driver", None)
        if driver is not None:
            try:
                found: Sequence[Any] = driver.execute(statement, values).fetchall()
            except Exception:
                if not (self._postgresql and driver.closed):
                    raise
                # The server has ended the connection. Whether it can be reached again, an ordinary read tells.
                self._own.pooled.invalidate()
                self._own.driver = None
            else:
                return found
        with self._db.read() as conn:
            return conn.exec_driver_sql(statement, values).fetchall()


def _part_of_name(sql: Sql, keys: Collection[str], term: str) -> str:
    """The same on PostgreSQL, whose index of three letters lies over the rows of names."""
    pattern = re.sub(r"([\\%_])", r"\\\1", term)
    # The first condition stands as in the index, or it would not be used; the second one says which are meant.
    text = f"SELECT s.entity_id FROM catalog_search s WHERE s.key IN ({_NAMES_SQL})"
    text += f" AND s.value LIKE {sql.bind(f'%{pattern}%')}"
    return text if _NAMES.issubset(keys) else f"{text} AND s.key IN ({sql.bind(*keys)})"


def _holding_part(sql: Sql, term: str, *, others: bool, displayed: bool) -> str:
    """Entities ``e`` whose name, or title and displayed name as well, hold a term of three letters or more.

    The index tells who has the same groups of three letters, in whatever order; the texts themselves decide.
    """
    starts = sorted({*range(0, len(term) - _GRAM + 1, _GRAM), len(term) - _GRAM})
    grams = " AND ".join('"' + term[at : at + _GRAM].replace('"', '""') + '"' for at in starts)
    found = f"SELECT rowid FROM catalog_parts WHERE catalog_parts MATCH {sql.bind(grams)}"
    if not others:
        return f"(e.id IN ({found}) AND {sql.holding('lower(e.name)', term)})"
    # Few have a displayed name, so all of those are looked at.
    if displayed:
        found += f" UNION SELECT s.entity_id FROM catalog_search s WHERE s.key = {sql.bind(_DISPLAYED)}"
        found += f" AND {sql.holding('s.value', term)}"
    name = sql.holding("lower(e.name)", term)
    # The sorting name is the title, else the displayed name: where there are both, that is looked for by itself.
    title = f"e.title <> '' AND length(e.sort_name) <= {MAX_LENGTH} AND {sql.holding('e.sort_name', term)}"
    if not displayed:
        return f"(e.id IN ({found}) AND ({name} OR ({title})))"
    again = f"SELECT s.entity_id FROM catalog_search s WHERE s.key = {sql.bind(_DISPLAYED)}"
    again += f" AND {sql.holding('s.value', term)}"
    return f"(e.id IN ({found}) AND ({name} OR ({title}) OR e.id IN ({again})))"
