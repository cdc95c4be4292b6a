"""What the catalog holds, as values: entities, rows of lists, queries, relations, locations, problems, history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

SortField = Literal["name", "kind", "type", "owner", "lifecycle", "system", "updated"]
SORT_FIELDS: tuple[SortField, ...] = ("name", "kind", "type", "owner", "lifecycle", "system", "updated")

LocationState = Literal["pending", "ok", "failed", "held"]
LocationOrigin = Literal["settings", "user", "event", "child"]


@dataclass(frozen=True, slots=True)
class EntitySource:
    """Where an entity was read from."""

    location_id: str
    location_type: str
    location_target: str
    ref: str
    """``type:target`` of the very file."""
    path: str
    """The file as people know it: relative to its source where that has a root."""
    line: int
    commit: str | None
    read_at: datetime | None
    view_url: str | None = None
    edit_url: str | None = None


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity, complete. ``text`` is the JSON that the API answers with, ``data`` the same, parsed."""

    ref: str
    uid: str
    kind: str
    """As written: ``Component``."""
    namespace: str
    name: str
    title: str
    """``metadata.title``, or the name."""
    type: str
    lifecycle: str
    owner: str | None
    """Entity ref."""
    system: str | None
    etag: str
    data: Mapping[str, Any]
    text: str
    source: EntitySource
    created_at: datetime
    updated_at: datetime
    has_problems: bool = False

    @property
    def path(self) -> str:
        """``kind/namespace/name`` as in the address of its page."""
        return self.ref.replace(":", "/", 1)

    @property
    def spec(self) -> Mapping[str, Any]:
        """``spec``, or an empty mapping."""
        spec = self.data.get("spec")
        return spec if isinstance(spec, Mapping) else {}

    @property
    def metadata(self) -> Mapping[str, Any]:
        """``metadata``."""
        metadata: Mapping[str, Any] = self.data["metadata"]
        return metadata

    @property
    def annotations(self) -> Mapping[str, str]:
        """``metadata.annotations``."""
        annotations: Mapping[str, str] = self.metadata.get("annotations") or {}
        return annotations

    def related(self, *types: str) -> list[str]:
        """Refs that this entity points to by the given relations, in order."""
        return [item["targetRef"] for item in self.data.get("relations", ()) if item["type"] in types]


@dataclass(frozen=True, slots=True)
class EntityRow:
    """One line of a list: what can be shown without the entity's own document."""

    id: int
    ref: str
    uid: str
    kind: str
    """Lower case, like type and lifecycle here: what filters compare with."""
    namespace: str
    name: str
    title: str
    type: str
    lifecycle: str
    owner: str | None
    system: str | None
    description: str
    tags: tuple[str, ...]
    has_problems: bool
    updated_at: datetime

    @property
    def path(self) -> str:
        """``kind/namespace/name`` as in the address of its page."""
        return self.ref.replace(":", "/", 1)


FilterTerms = tuple[tuple[str, str | None], ...]
"""Terms (key, value or None for "has the key"), all of which must hold; one key given twice: either value."""


@dataclass(frozen=True, slots=True)
class CatalogQuery:
    """Filters, order and page of a list. Within a field any value may match; all fields must match.

    ``owners`` and ``refs``: None means no filter, an empty tuple matches nothing. ``text`` looks for every word in
    name, title, description, tags, owner and type. ``filters``: any of the terms lists, by the API's filter grammar.
    """

    kinds: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    owners: tuple[str, ...] | None = None
    systems: tuple[str, ...] = ()
    lifecycles: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    refs: tuple[str, ...] | None = None
    text: str | None = None
    starred_by: str | None = None
    """A principal's id."""
    without_owner: bool = False
    filters: tuple[FilterTerms, ...] = ()
    sort: SortField = "name"
    descending: bool = False
    cursor: str | None = None
    limit: int | None = None
    count: bool = False
    """Whether the page shall say how many there are in all."""


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value that entities have, and how many."""

    value: str
    count: int


@dataclass(frozen=True, slots=True)
class Relation:
    """A directed relation. Its opposite is a relation of its own."""

    source: str
    type: str
    target: str


@dataclass(frozen=True, slots=True)
class RelatedEntity:
    """A neighbour: how it is related, and what is known of it (None: the ref leads nowhere)."""

    type: str
    ref: str
    row: EntityRow | None


@dataclass(frozen=True, slots=True)
class Graph:
    """Entities around one. ``hidden`` is how many were left out because there are too many to draw."""

    root: str
    refs: tuple[str, ...]
    rows: Mapping[str, EntityRow]
    edges: tuple[Relation, ...]
    depth: Mapping[str, int]
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """Deletions that wait for somebody to agree: the digest names exactly this set."""

    digest: str
    count: int
    total: int
    sample: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Location:
    """Somewhere that entities are read from."""

    id: str
    type: str
    target: str
    origin: LocationOrigin
    presence: str
    state: LocationState
    version: str | None
    commit: str | None
    read_at: datetime | None
    attempted_at: datetime | None
    next_read_at: datetime
    generation: int
    error: str | None
    hint: str | None
    held: Held | None
    approved: str | None
    created_at: datetime
    created_by: str
    entities: int = 0

    @property
    def ref(self) -> str:
        """``type:target``."""
        return f"{self.type}:{self.target}"


@dataclass(frozen=True, slots=True)
class CatalogProblem:
    """Something wrong with a file or an entity, where, and how to mend it."""

    id: str
    location_id: str
    location: str
    code: str
    message: str
    hint: str | None
    file: str | None
    line: int | None
    field: str | None
    entity_ref: str | None
    level: str
    at: datetime
    action: str | None = None
    """``confirm``: deletions of this location wait for somebody to agree."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of an entity."""

    id: int
    ref: str
    change: str
    """``created``, ``updated`` or ``deleted``."""
    at: datetime
    actor: str
    commit: str | None
    source: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    fields: tuple[str, ...] = field(default=())
    """Dotted paths that differ."""
    actor_name: str = ""
    """The actor in words."""
