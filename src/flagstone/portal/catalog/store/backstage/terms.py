"""Parts of names, found through an index of three letters that triggers keep (see the migration)."""

# ruff: noqa: S608  only names of our own tables are spliced, every value is bound

from __future__ import annotations

import re
from collections.abc import Collection

from flagstone.portal.catalog.model.search_rows import MAX_LENGTH
from flagstone.portal.catalog.store.backstage.asking import Selection
from flagstone.portal.catalog.store.predicates import Sql

GRAM = 3
DISPLAYED = "spec.profile.displayname"
NAMES = frozenset({"metadata.name", "metadata.title", DISPLAYED})
_NAMES_SQL = ", ".join(f"'{key}'" for key in sorted(NAMES))
_INDEXED = frozenset({frozenset({"metadata.name"}), NAMES})
"""Keys of which parts are found by an index on SQLite: what clients ask."""


def by_parts(wanted: Selection) -> bool:
    """Whether SQLite's index of three letters finds the term."""
    return wanted.term is not None and len(wanted.term) >= GRAM and frozenset(wanted.term_keys) in _INDEXED


def part_of_name(sql: Sql, keys: Collection[str], term: str) -> str:
    """The same on PostgreSQL, whose index of three letters lies over the rows of names."""
    pattern = re.sub(r"([\\%_])", r"\\\1", term)
    # The first condition stands as in the index, or it would not be used; the second one says which are meant.
    text = f"SELECT s.entity_id FROM catalog_search s WHERE s.key IN ({_NAMES_SQL})"
    text += f" AND s.value LIKE {sql.bind(f'%{pattern}%')}"
    return text if NAMES.issubset(keys) else f"{text} AND s.key IN ({sql.bind(*keys)})"


def holding_part(sql: Sql, term: str, *, others: bool, displayed: bool) -> str:
    """Entities ``e`` whose name, or title and displayed name as well, hold a term of three letters or more.

    The index tells who has the same groups of three letters, in whatever order; the texts themselves decide.
    """
    starts = sorted({*range(0, len(term) - GRAM + 1, GRAM), len(term) - GRAM})
    grams = " AND ".join('"' + term[at : at + GRAM].replace('"', '""') + '"' for at in starts)
    found = f"SELECT rowid FROM catalog_parts WHERE catalog_parts MATCH {sql.bind(grams)}"
    if not others:
        return f"(e.id IN ({found}) AND {sql.holding('lower(e.name)', term)})"
    # Few have a displayed name, so all of those are looked at.
    if displayed:
        found += f" UNION SELECT s.entity_id FROM catalog_search s WHERE s.key = {sql.bind(DISPLAYED)}"
        found += f" AND {sql.holding('s.value', term)}"
    name = sql.holding("lower(e.name)", term)
    # The sorting name is the title, else the displayed name: where there are both, that is looked for by itself.
    title = f"e.title <> '' AND length(e.sort_name) <= {MAX_LENGTH} AND {sql.holding('e.sort_name', term)}"
    if not displayed:
        return f"(e.id IN ({found}) AND ({name} OR ({title})))"
    again = f"SELECT s.entity_id FROM catalog_search s WHERE s.key = {sql.bind(DISPLAYED)}"
    again += f" AND {sql.holding('s.value', term)}"
    return f"(e.id IN ({found}) AND ({name} OR ({title}) OR e.id IN ({again})))"
