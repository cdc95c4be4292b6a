"""Values of a field with their numbers."""

# ruff: noqa: S608  only names of our own tables are spliced, every value is bound

from __future__ import annotations

from flagstone.portal.catalog.model.predicates import EVERYTHING, Predicate
from flagstone.portal.catalog.store.backstage.asking import Asking
from flagstone.portal.catalog.store.backstage.terms import DISPLAYED
from flagstone.portal.catalog.store.predicates import Sql


class FacetReader(Asking):
    """Facets, and which values and kinds need a closer look."""

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
            f" WHERE s.key = {sql.bind(DISPLAYED)}",
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
