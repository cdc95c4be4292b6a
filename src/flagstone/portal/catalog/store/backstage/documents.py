"""Documents as stored, by ref, uid or number."""

# ruff: noqa: S608  only names of our own tables are spliced, every value is bound

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flagstone.portal.catalog.model.predicates import EVERYTHING, Predicate
from flagstone.portal.catalog.store.backstage.asking import BATCH, REVISION, Asking

_BETWEEN = "\x01"
_NOW = (
    "SELECT e.ref, d.body FROM catalog_entities e JOIN catalog_documents d ON d.entity_id = e.id"
    " WHERE e.ref = ANY(string_to_array(%s, chr(1)))"
    f" UNION ALL SELECT '', CAST(value AS text) FROM ({REVISION}) r"
)


class DocumentReader(Asking):
    """Documents."""

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
        for start in range(0, len(refs), BATCH):
            sql = self._sql(walk=True)
            rows = self._run(
                sql,
                f"SELECT e.ref, d.body FROM catalog_entities e {sql.then} catalog_documents d ON d.entity_id = e.id"
                f" WHERE {sql.one_of('e.ref', refs[start : start + BATCH])} AND {sql.condition(predicate)}",
            )
            found.update(rows)
        return found

    def bodies_now(self, refs: Sequence[str]) -> tuple[int, dict[str, str]]:
        """The same, with the revision of the catalog at the same moment. For PostgreSQL."""
        # One text instead of a list: making a list of a hundred costs the driver as much as all the rest. No ref holds
        # the sign between them; what is asked for with it is found in parts, and nobody has asked for those.
        rows = self._rows(_NOW, (_BETWEEN.join(refs),))
        found = dict(rows)
        return int(found.pop("", "0")), found

    def batches(self, ids: Sequence[int]) -> Iterator[list[str]]:
        """Documents in this order, some hundred at a time; those that are gone meanwhile are left out."""
        for start in range(0, len(ids), BATCH):
            part = ids[start : start + BATCH]
            sql = self._sql()
            rows = self._run(
                sql, f"SELECT d.entity_id, d.body FROM catalog_documents d WHERE {sql.one_of('d.entity_id', part)}"
            )
            found = {row[0]: row[1] for row in rows}
            yield [found[id_] for id_ in part if id_ in found]
