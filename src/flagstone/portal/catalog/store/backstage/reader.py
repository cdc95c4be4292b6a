"""Pages and lists by predicate, as statements of text.

A page is found in one of two ways: walking along the order and testing each entity, or collecting what fits and
sorting that. Which one is cheaper follows from how many fit, so the caller passes that number.
"""

# ruff: noqa: S608  only names of our own tables are spliced, every value is bound

from __future__ import annotations

from collections.abc import Sequence

from flagstone.portal.catalog.model.cursors import Position
from flagstone.portal.catalog.model.predicates import Predicate
from flagstone.portal.catalog.store.backstage.asking import REVISION, Found, Places, Selection
from flagstone.portal.catalog.store.backstage.documents import DocumentReader
from flagstone.portal.catalog.store.backstage.facets import FacetReader
from flagstone.portal.catalog.store.backstage.terms import GRAM, NAMES, by_parts, holding_part, part_of_name
from flagstone.portal.catalog.store.predicates import Sql, in_columns, in_names, with_lifecycles

_IN_ALL = frozenset({"kind", "apiversion", "metadata.name", "metadata.namespace", "metadata.uid"})
_ONCE = _IN_ALL | {"metadata.title", "metadata.description"}
_NAMED = "catalog_entities_named"
"""The index that holds the entities of a kind and type by name, with their lifecycles."""
_FOUND = "catalog_entities_found"
"""The index by id that holds names and titles beside: a fifth of the pages of the rows themselves."""


class BackstageReader(FacetReader, DocumentReader):
    """All questions of the Backstage API."""

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

    def places(self, wanted: Selection, limit: int) -> Places:
        """The same without the documents, for those who have them already. For PostgreSQL."""
        sql = self._sql()
        direction = "DESC" if wanted.descending else "ASC"
        inner = self._ordered(sql, wanted, None, direction)
        rows = self._run(
            sql,
            f"SELECT q.v, q.id, x.ref, q.n, ({REVISION}) FROM (SELECT p.v, p.id, count(*) OVER () AS n"
            f" FROM ({inner}) p ORDER BY p.v {direction}, p.id {direction} LIMIT {sql.bind(limit)}) q"
            f" JOIN catalog_entities x ON x.id = q.id ORDER BY q.v {direction}, q.id {direction}",
            planned_once=in_columns(wanted.predicate),
        )
        places = [(row[0], row[1], row[2]) for row in rows]
        return Places(places, int(rows[0][3]) if rows else 0, int(rows[0][4] or 0) if rows else 0)

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
        if not sql.postgresql and (named or by_parts(wanted)):
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

    def _term(self, sql: Sql, wanted: Selection) -> str:
        if wanted.term is None:
            return ""
        keys = wanted.term_keys
        if self.far and NAMES.issuperset(keys) and len(wanted.term) >= GRAM and self.indexed:
            return f" AND e.id IN ({part_of_name(sql, keys, wanted.term)})"
        if not self.far and by_parts(wanted):
            return f" AND {holding_part(sql, wanted.term, others=len(keys) > 1, displayed=wanted.displayed)}"
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
                if limit is not None or self.far
                else f" LIMIT -1 OFFSET {sql.bind(offset)}"
            )
        return [row[0] for row in self._run(sql, text)]
