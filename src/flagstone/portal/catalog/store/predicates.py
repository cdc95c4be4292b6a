"""From a predicate to SQL over the search rows. Every value is bound; only names of our own tables are spliced.

Text of SQL instead of expression objects: a page must cost what the database costs, and building and compiling
expressions costs several times that. Placeholders are ``?``; :class:`Sql` turns them into what the driver wants.
"""

# ruff: noqa: S608  only names of our own tables are spliced, every value is bound

from __future__ import annotations

from collections.abc import Sequence

from flagstone.portal.catalog.model.predicates import All, AnyOf, Has, Not, Predicate, Related, Starts
from flagstone.portal.catalog.model.search_rows import MAX_LENGTH
from flagstone.portal.catalog.store.queries import RELATION_NAMES

_COLUMNS = {"kind": "e.kind", "metadata.namespace": "e.namespace", "metadata.uid": "e.uid"}
_TEXTS = {"spec.type": "e.type", "spec.lifecycle": "e.lifecycle"}
"""Columns that are empty where an entity has none, or has something else than a text."""
_WITH_LIFECYCLE = frozenset({"component", "api"})
"""Kinds whose lifecycle is always a text."""
_EVERY = frozenset({*_COLUMNS, "apiversion", "metadata.name"})
"""Keys that every entity has."""


class Sql:
    """A statement on its way: parts of it with their values, in order."""

    def __init__(self, *, postgresql: bool, walk: bool = False) -> None:
        self.postgresql = postgresql
        self.walk = walk
        """Test one entity after the other, instead of collecting those that fit first."""
        self.lifecycles = False
        """Every entity in question has a lifecycle that is a text, so that its column tells."""
        self.values: list[object] = []

    def bind(self, *values: object) -> str:
        """Placeholders for values."""
        self.values += values
        return ", ".join("?" * len(values))

    def one_of(self, column: str, values: Sequence[object]) -> str:
        """Whether a column holds one of many values: on PostgreSQL one statement for whatever number of them."""
        if self.postgresql:
            return f"{column} = ANY({self.bind(list(values))})"
        return f"{column} IN ({self.bind(*values)})"

    def text(self, statement: str) -> str:
        """The statement as the driver wants it."""
        return statement.replace("?", "%s") if self.postgresql else statement

    @property
    def plus(self) -> str:
        """Keeps SQLite from using an index for the column behind it."""
        return "" if self.postgresql else "+"

    @property
    def then(self) -> str:
        """JOIN that SQLite must not reorder."""
        return "JOIN" if self.postgresql else "CROSS JOIN"

    def holding(self, column: str, text: str) -> str:
        """Whether a column holds a text, wildcards being ordinary letters."""
        name = "strpos" if self.postgresql else "instr"
        return f"{name}({column}, {self.bind(text)}) > 0"

    def condition(self, predicate: Predicate) -> str:
        """SQL about an entity ``e``."""
        if isinstance(predicate, Has):
            return self._has(predicate)
        if isinstance(predicate, Starts):
            return self._starts(predicate)
        if isinstance(predicate, Related):
            return self._related(predicate)
        if isinstance(predicate, Not):
            return f"NOT ({self.condition(predicate.part)})"
        word, nothing = (" AND ", "1 = 1") if isinstance(predicate, All) else (" OR ", "1 = 0")
        assert isinstance(predicate, All | AnyOf)
        return f"({word.join(self.condition(part) for part in predicate.parts)})" if predicate.parts else nothing

    def _has(self, predicate: Has) -> str:
        key, values = predicate.key, predicate.values
        if values is None:
            return "1 = 1" if key in _EVERY else self._rows(key, "")
        if not values:
            return "1 = 0"
        column = _column(predicate, lifecycles=self.lifecycles)
        if column is not None:
            return f"{column} = {self.bind(*values)}" if len(values) == 1 else f"{column} IN ({self.bind(*values)})"
        return self._rows(key, "s.value", values)

    def _rows(self, key: str, column: str, values: tuple[str, ...] = ()) -> str:
        if self.walk:
            if not column:
                return (
                    "EXISTS (SELECT 1 FROM catalog_search s WHERE s.entity_id = e.id"
                    f" AND {self.plus}s.key = {self.bind(key)})"
                )
            return (
                f"EXISTS (SELECT 1 FROM catalog_search s WHERE s.key = {self.bind(key)}"
                f" AND s.value IN ({self.bind(*values)}) AND s.entity_id = e.id)"
            )
        inner = f"SELECT s.entity_id FROM catalog_search s WHERE s.key = {self.bind(key)}"
        if column:
            inner += f" AND s.value IN ({self.bind(*values)})"
        return f"e.id IN ({inner})"

    def _starts(self, predicate: Starts) -> str:
        key, prefix = predicate.key, predicate.prefix
        if key.startswith("relations."):
            return (
                "e.ref IN (SELECT r.source_ref FROM catalog_relations r WHERE "
                f"{self.relation_type(key.removeprefix('relations.'))}"
                f" AND substr(r.target_ref, 1, {len(prefix)}) = {self.bind(prefix)})"
            )
        inner = f"SELECT s.entity_id FROM catalog_search s WHERE s.key = {self.bind(key)} AND s.value IS NOT NULL"
        if prefix:
            inner += f" AND s.value >= {self.bind(prefix)}"
            # The rows of one prefix lie together; where they end is left to substr, whatever letter comes last.
            inner += f" AND substr(s.value, 1, {len(prefix)}) = {self.bind(prefix)}"
            if prefix[-1] < "\ud7ff":
                inner += f" AND s.value < {self.bind(prefix[:-1] + chr(ord(prefix[-1]) + 1))}"
        return f"e.id IN ({inner})"

    def _related(self, predicate: Related) -> str:
        targets = predicate.targets
        if targets is not None and not targets:
            return "1 = 0"
        if self.walk:
            inner = (
                f"SELECT 1 FROM catalog_relations r WHERE r.source_ref = e.ref AND {self.relation_type(predicate.type)}"
            )
        else:
            inner = f"SELECT r.source_ref FROM catalog_relations r WHERE {self.relation_type(predicate.type)}"
        if targets is not None:
            inner += f" AND r.target_ref IN ({self.bind(*targets)})"
        return f"EXISTS ({inner})" if self.walk else f"e.ref IN ({inner})"

    def relation_type(self, wanted: str) -> str:
        """SQL about the type of a relation ``r``, whatever the case asked for."""
        known = [name for name in RELATION_NAMES if name.lower() == wanted]
        return f"r.type = {self.bind(known[0])}" if known else f"lower(r.type) = {self.bind(wanted)}"


def in_names(predicate: Predicate, *, walk: bool) -> bool:
    """Whether the entities of a predicate lie in the order of their names in the index by kind, type and name: where
    nothing but a lifecycle is asked beside, or so many fit (``walk``) that testing one after the other is soon done.
    """
    if not isinstance(predicate, All):
        return False
    parts = {part.key: part.values for part in predicate.parts if isinstance(part, Has) and part.values}
    if len(parts.get("kind") or ()) != 1 or len(parts.get("spec.type") or ()) != 1:
        return False
    if not _column(Has("spec.type", parts["spec.type"])):
        return False
    return walk or (len(parts) == len(predicate.parts) and set(parts) <= {"kind", "spec.type", "spec.lifecycle"})


def in_columns(predicate: Predicate) -> bool:
    """Whether columns of the entities themselves tell who matches, so that one plan fits whatever the values are."""
    if isinstance(predicate, All):
        return all(in_columns(part) for part in predicate.parts)
    return isinstance(predicate, Has) and bool(predicate.values) and _column(predicate) is not None


def with_lifecycles(predicate: Predicate) -> bool:
    """Whether every entity of a predicate has a lifecycle that is a text."""
    kinds = kinds_of(predicate)
    return bool(kinds) and _WITH_LIFECYCLE.issuperset(kinds)


def kinds_of(predicate: Predicate) -> tuple[str, ...]:
    """Kinds that a predicate is about alone; empty when it does not say."""
    parts = predicate.parts if isinstance(predicate, All) else (predicate,)
    return next((part.values or () for part in parts if isinstance(part, Has) and part.key == "kind"), ())


def _column(predicate: Has, *, lifecycles: bool = False) -> str | None:
    found = _COLUMNS.get(predicate.key)
    if found is not None or (predicate.key == "spec.lifecycle" and not lifecycles):
        return found
    # Texts that are too long have no value among the search rows, so nothing is found by them.
    told = all(0 < len(value) <= MAX_LENGTH for value in predicate.values or ())
    return _TEXTS.get(predicate.key) if told else None
