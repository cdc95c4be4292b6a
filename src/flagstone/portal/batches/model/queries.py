"""Which entities, with which answers, and how the batch goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flagstone.contracts.batches import MAX_AT_ONCE, MAX_ITEMS
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Invalid, Problem
from flagstone.portal.catalog import CatalogQuery, Entity, parse_filter

Words = Annotated[tuple[str, ...], Field(max_length=100)]
_MAX_WORDS = 2_000
_LISTS = ("filter", "kind", "type", "owner", "lifecycle", "tag", "entity", "without")
_ATTRIBUTES = ("ref", "name", "namespace", "title", "kind", "type", "owner", "system", "lifecycle")
PLACES = (
    ("ref", "its reference"),
    ("name", "its name"),
    ("title", "its title"),
    ("owner", "its owner"),
    ("system", "its system"),
    ("type", "its type"),
    ("lifecycle", "its lifecycle"),
    ("metadata.description", "its description"),
)
"""Places in an entity that a form offers, with their words."""


class EntityQuery(BaseModel):
    """Which entities: the filters of the catalog's list, and ``filter`` in the grammar of its API."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    filter: Words = ()
    """``kind=component,spec.type=service``; any of several may fit."""
    kind: Words = ()
    type: Words = ()
    owner: Words = ()
    lifecycle: Words = ()
    tag: Words = ()
    entity: tuple[str, ...] = Field(default_factory=tuple, max_length=MAX_ITEMS)
    """Refs: only these."""
    without: tuple[str, ...] = Field(default_factory=tuple, max_length=MAX_ITEMS)
    """Refs: not these."""
    q: str = Field(default="", max_length=200)
    """Words in name, title, description, tags, owner and type."""
    view: Literal["all", "mine", "starred"] = "all"

    @classmethod
    def of_pairs(cls, pairs: Iterable[tuple[str, str]]) -> EntityQuery:
        """From an address; what is no filter is left out. Raises Invalid for what no filter can be."""
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in _LISTS and value.strip():
                found[name] = (*found.get(name, ()), value.strip())
            elif (name == "q" and value.strip()) or (name == "view" and value):
                found[name] = value.strip()
        try:
            return cls(**found)
        except ValidationError as error:
            told = [Problem(item["msg"], field=str(item["loc"][0])) for item in error.errors()]
            raise Invalid("batches.bad_query", "The query cannot be read.", problems=told) from error

    @property
    def empty(self) -> bool:
        """Whether it names nothing to look for."""
        return self == EntityQuery(without=self.without)

    def of_catalog(self, principal: Principal) -> CatalogQuery:
        """For the catalog. Raises Invalid for a filter that cannot be read."""
        owners: tuple[str, ...] | None = self.owner or None
        if self.view == "mine":
            mine = principal.owner_refs
            owners = tuple(sorted(mine if owners is None else mine & set(owners)))
        return CatalogQuery(
            kinds=tuple(kind.lower() for kind in self.kind),
            types=self.type,
            owners=owners,
            lifecycles=self.lifecycle,
            tags=self.tag,
            refs=tuple(ref.lower() for ref in self.entity) or None,
            text=self.q or None,
            starred_by=principal.id if self.view == "starred" else None,
            filters=tuple(parse_filter(text) for text in self.filter),
        )

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """As in an address."""
        found = [("view", self.view)] if self.view != "all" else []
        for name in _LISTS:
            found += [(name, value) for value in getattr(self, name)]
        return found + ([("q", self.q)] if self.q else [])

    @property
    def words(self) -> str:
        """For people, and for the batch to keep."""
        shown = ", ".join(f"{name}={value}" for name, value in self.pairs) or "everything"
        return shown if len(shown) <= _MAX_WORDS else f"{shown[: _MAX_WORDS - 1]}…"


class BatchOptions(BaseModel):
    """How a batch goes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field(default="", max_length=200)
    at_once: int = Field(default=5, ge=1, le=MAX_AT_ONCE)
    """Runs that may be going at the same time."""
    stop_after_failures: int = Field(default=1, ge=0, le=MAX_ITEMS)
    """No more runs are started once so many failed; 0: never."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the form is given: ``fixed`` for all, ``mapped`` from a place in each entity (see :func:`read_place`).

    What is in neither is taken from the entity where the form itself says so.
    """

    fixed: Mapping[str, Any] = field(default_factory=dict)
    mapped: Mapping[str, str] = field(default_factory=dict)


def read_place(entity: Entity, place: str) -> Any:
    """What an entity says at a place: a name such as ``owner``, or a path such as ``metadata.annotations.a.b/c``."""
    if place in _ATTRIBUTES:
        return getattr(entity, place)
    head = "metadata.annotations."
    parts = ["metadata", "annotations", place.removeprefix(head)] if place.startswith(head) else place.split(".")
    data: Any = entity.data
    for part in parts:
        data = data.get(part) if isinstance(data, Mapping) else None
    return data
