"""The first page of a new batch: what runs, for which entities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError
from flagstone.portal.batches.model import EntityQuery
from flagstone.portal.batches.web.parts import STEPS, Parts
from flagstone.portal.catalog import EntityRow, FacetValue
from flagstone.portal.golden_paths import GoldenPath

_FACETS = (
    ("kind", "Kind", "kinds"),
    ("owner", "Owner", "owners"),
    ("type", "Type", "types"),
    ("lifecycle", "Lifecycle", "lifecycles"),
    ("tag", "Tags", "tags"),
)
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class ChoosePage:
    """What runs, for which entities."""

    paths: tuple[GoldenPath, ...]
    template: str
    query: EntityQuery
    facets: tuple[tuple[str, str, tuple[tuple[str, str, int | None], ...], tuple[str, ...]], ...] = ()
    count: int = 0
    rows: tuple[EntityRow, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Refs to names of what somebody took out."""
    error: FlagstoneError | None = None
    steps: tuple[str, ...] = STEPS


def choose_page(parts: Parts, principal: Principal, template: str, query: EntityQuery) -> ChoosePage:
    """A template that is attached to something narrows the entities to that; what is wrong is part of the page."""
    previews = parts.previews
    page = ChoosePage(previews.paths(), template, query)
    try:
        if template:
            page = replace(page, query=previews.narrowed(parts.path(template), query))
        count, found = previews.facets(principal, page.query)
        page = replace(page, count=count, facets=_facets(parts, page.query, found))
        rows = previews.find(principal, page.query)
    except FlagstoneError as error:
        return replace(page, error=error)
    return replace(page, rows=rows[:_SHOWN], count=len(rows), left_out=previews.titles(page.query.without))


def _facets(parts: Parts, query: EntityQuery, found: Mapping[str, Sequence[FacetValue]]) -> Any:
    titles = parts.previews.titles(value.value for value in found["owners"])
    return tuple(
        (
            name,
            label,
            tuple(
                (value.value, titles.get(value.value) or value.value.rpartition("/")[2], value.count)
                for value in found[key]
            ),
            getattr(query, name),
        )
        for name, label, key in _FACETS
    )
