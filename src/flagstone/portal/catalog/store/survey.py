"""A list counted in every way at once: all of its facets and totals from one look at an index.

Only fields that a list filters by are looked at; documents are not touched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from flagstone.portal.catalog.model import CatalogQuery, FacetValue

FIELDS = ("kinds", "types", "lifecycles", "owners", "tags")
_TAGS = FIELDS.index("tags")
_NUMBER = len(FIELDS)

Row = Sequence[Any]
"""Kind, type, lifecycle, owner, the tags with spaces between them, and how many are alike."""


class Survey:
    """Rows that everything but ``FIELDS`` has chosen already.

    :param tagged: whether the rows know their tags.
    """

    def __init__(self, rows: Sequence[Row], sound: Callable[[Iterable[str]], list[str]], *, tagged: bool) -> None:
        self._rows: Sequence[Row] = rows
        self._sound = sound
        self._tagged = tagged
        self._by: list[Mapping[str, Sequence[Row]] | None] = [None] * _NUMBER

    def can_count(self, query: CatalogQuery, name: str = "") -> bool:
        """Whether the rows are enough for the facet ``name``, or for the number of a list."""
        return self._tagged or (not query.tags and name != "tags")

    def count(self, query: CatalogQuery) -> int:
        """How many match."""
        return sum(row[_NUMBER] for row in self._matching(query, skip=""))

    def facet(self, query: CatalogQuery, name: str, *, limit: int) -> list[FacetValue]:
        """Values of a field with counts, most frequent first, as if the field itself were not filtered."""
        index = FIELDS.index(name)
        numbers: defaultdict[str, int] = defaultdict(int)
        for row in self._matching(query, skip=name):
            numbers[row[index]] += row[_NUMBER]
        if index == _TAGS:
            numbers = _of_each_tag(numbers)
        numbers.pop("", None)
        ordered = sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
        return [FacetValue(value, number) for value, number in ordered[:limit]]

    def _matching(self, query: CatalogQuery, *, skip: str) -> Sequence[Row]:
        asked: list[tuple[int, frozenset[str]]] = []
        for index, name in enumerate(FIELDS):
            values: Collection[str] | None = getattr(query, name)
            if name != skip and values is not None and (values or name == "owners"):
                asked.append((index, frozenset(self._sound(values))))
        # The narrowest first: of those rows, the others are asked.
        sized = [
            (sum(len(rows) for value in wanted if (rows := self._of(index).get(value))), index, wanted)
            for index, wanted in asked
            if index != _TAGS
        ]
        rows = self._rows
        if sized:
            _, first, wanted = min(sized, key=lambda item: item[0])
            rows = [row for value in wanted for row in self._of(first).get(value, ())]
            asked.remove((first, wanted))
        for index, wanted in asked:
            if index == _TAGS:
                found = {row[_TAGS] for row in rows if not wanted.isdisjoint(row[_TAGS].lower().split())}
                rows = [row for row in rows if row[_TAGS] in found]
            else:
                rows = [row for row in rows if row[index] in wanted]
        return rows

    def _of(self, index: int) -> Mapping[str, Sequence[Row]]:
        """The rows by a field, put together when they are first asked for."""
        known = self._by[index]
        if known is None:
            found: defaultdict[str, list[Row]] = defaultdict(list)
            for row in self._rows:
                found[row[index]].append(row)
            known = self._by[index] = dict(found)
        return known


def _of_each_tag(numbers: Mapping[str, int]) -> defaultdict[str, int]:
    found: defaultdict[str, int] = defaultdict(int)
    for tags, number in numbers.items():
        for tag in dict.fromkeys(tags.lower().split()):
            found[tag] += number
    return found
