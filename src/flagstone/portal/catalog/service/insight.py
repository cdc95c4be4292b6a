"""Whether the catalog can be trusted: owners, references, orphans, code owners; what was removed, and undoing that."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import Conflict, FlagstoneError, NotFound
from flagstone.kernel.paging import Page
from flagstone.kernel.refs import parse_ref
from flagstone.portal.catalog.model import CatalogQuery, Entity, EntityRow
from flagstone.portal.catalog.model.codeowners import FILES, agrees, owners_of
from flagstone.portal.catalog.service.actors import Actors
from flagstone.portal.catalog.service.catalog import CatalogService
from flagstone.portal.catalog.service.locations import LocationService
from flagstone.portal.catalog.service.records import RecordService, is_remote
from flagstone.portal.catalog.store import CatalogStore, InsightStore, Removed

_ORIGIN = "backstage.io/managed-by-origin-location"
_SECONDS = 30.0
_REMOTE_SECONDS = 600.0
_MAX_KEPT = 500
_FEW = 200
_SOURCES = frozenset({"catalog.source_failed", "catalog.source_broken", "catalog.unreadable"})
_DOUBLES = frozenset({"catalog.duplicate", "catalog.conflict"})
_HELD = frozenset({"catalog.held"})


@dataclass(frozen=True, slots=True)
class Counts:
    """How much of everything is wrong."""

    files: int
    sources: int
    doubles: int
    held: int
    references: int
    ownerless: int
    dangling_owners: int
    orphans: int
    removed: int

    @property
    def wrong(self) -> int:
        """All but what was removed, which may be just right."""
        return (
            self.files
            + self.sources
            + self.doubles
            + self.held
            + self.references
            + self.ownerless
            + self.dangling_owners
            + self.orphans
        )


@dataclass(frozen=True, slots=True)
class CodeOwners:
    """Whom the CODEOWNERS file of the entity's repository names for it."""

    file: str
    owners: tuple[str, ...]
    agrees: bool


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a group, by which groups."""

    ref: str
    through: tuple[str, ...]
    direct: bool


class InsightService:
    """Answers from the catalog's own tables; counts are remembered for one revision of the catalog."""

    def __init__(
        self,
        store: CatalogStore,
        insight: InsightStore,
        catalog: CatalogService,
        records: RecordService,
        locations: LocationService,
        *,
        tombstone_days: int = 30,
        actors: Actors | None = None,
        now: Now = utc_now,
    ) -> None:
        self._store = store
        self._insight = insight
        self._catalog = catalog
        self._records = records
        self._locations = locations
        self._days = tombstone_days
        self._actors = actors or Actors()
        self._now = now
        self._lock = threading.Lock()
        self._counted: tuple[tuple[int, int], Counts] | None = None
        self._codeowners: dict[str, tuple[float, tuple[str, str] | None]] = {}

    def codes(self, group: str) -> list[str]:
        """The codes of problems that a group of the problems page shows."""
        named = {"sources": _SOURCES, "doubles": _DOUBLES, "held": _HELD}
        if group in named:
            return sorted(named[group])
        return sorted(set(self._insight.problem_counts()) - _SOURCES - _DOUBLES - _HELD) or ["-"]

    def counts(self) -> Counts:
        """All counts. Counted once for a revision of the catalog and a number of problems."""
        key = (self._catalog.revision(), self._records.count_problems())
        with self._lock:
            if self._counted is None or self._counted[0] != key:
                self._counted = (key, self._count())
            return self._counted[1]

    def _count(self) -> Counts:
        codes = self._insight.problem_counts()
        special = _SOURCES | _DOUBLES | _HELD
        owners = self._insight.dangling_owners(10_000)
        return Counts(
            files=sum(number for code, number in codes.items() if code not in special),
            sources=sum(codes.get(code, 0) for code in _SOURCES),
            doubles=sum(codes.get(code, 0) for code in _DOUBLES),
            held=sum(codes.get(code, 0) for code in _HELD),
            references=self._insight.count_dangling(),
            ownerless=self._catalog.count(self._ownerless()),
            dangling_owners=sum(number for _, number in owners),
            orphans=self.orphans()[1],
            removed=self._insight.count_removed(self._since()),
        )

    def _ownerless(self) -> CatalogQuery:
        owned = [k.name.lower() for k in self._catalog.kinds.all() if any(r.path == "spec.owner" for r in k.relations)]
        return CatalogQuery(kinds=tuple(owned), without_owner=True)

    def ownerless(self, *, cursor: str | None = None, limit: int | None = None) -> Page[EntityRow]:
        """Entities of kinds that have owners, without one."""
        query = self._ownerless()
        return self._catalog.list(CatalogQuery(kinds=query.kinds, without_owner=True, cursor=cursor, limit=limit))

    def dangling_owners(self) -> list[tuple[str, int]]:
        """Owners that are not in the catalog, with how much they own."""
        return self._insight.dangling_owners(_FEW)

    def orphans(self) -> tuple[list[tuple[str, str]], int]:
        """(ref, location id) of entities that no registered location leads to any more, and how many there are."""
        return self._insight.orphans(self._store.locations.unreachable(), _FEW)

    def members(self, group_ref: str, limit: int = 1000) -> Sequence[Member]:
        """Everybody in a group or in one below it, direct ones first."""
        wanted = str(parse_ref(group_ref))
        found: dict[str, list[str]] = {}
        for user, group in self._insight.members_below(wanted, limit):
            found.setdefault(user, []).append(group)
        members = [
            Member(user, tuple(g for g in groups if g != wanted), wanted in groups) for user, groups in found.items()
        ]
        return sorted(members, key=lambda member: (not member.direct, member.ref))

    def code_owners(self, entity: Entity) -> CodeOwners | None:
        """What CODEOWNERS says of an entity's file; None when its repository is not known or has no such file."""
        if entity.source.location_type not in ("hosted", "git", "url"):
            return None
        found = self._code_owners_file(entity)
        if found is None:
            return None
        file, text = found
        owners = owners_of(text, entity.source.path)
        if not owners:
            return None
        owner = self._catalog.find(entity.owner) if entity.owner else None
        profile = owner.spec.get("profile") if owner else None
        email = profile.get("email") if isinstance(profile, Mapping) else None
        same = bool(entity.owner) and agrees(owners, entity.owner or "", owner.annotations if owner else {}, email)
        return CodeOwners(file, owners, same)

    def _code_owners_file(self, entity: Entity) -> tuple[str, str] | None:
        repository = f"{entity.source.location_id} {entity.source.commit}"
        if entity.source.location_type == "hosted":
            name = "/".join(entity.source.ref.removeprefix("hosted:").split("/")[:2])
            repository = f"{name} {entity.source.commit}"
        moment = time.monotonic()
        known = self._codeowners.get(repository)
        if known is not None and known[0] > moment:
            return known[1]
        found = None
        for path in FILES:
            try:
                found = (path.strip("/"), self._records.beside(entity, path).text)
            except FlagstoneError:
                continue
            break
        if len(self._codeowners) >= _MAX_KEPT:
            self._codeowners.clear()
        self._codeowners[repository] = (moment + (_REMOTE_SECONDS if is_remote(entity) else _SECONDS), found)
        return found

    def removed(self, *, cursor: str | None = None, limit: int | None = None) -> Page[Removed]:
        """Entities that were removed lately and are not there again, the latest first."""
        page = self._insight.removed(self._since(), cursor=cursor, limit=limit)
        return replace(page, items=tuple(self._named(item) for item in page.items))

    def tombstone(self, ref: str) -> Removed | None:
        """The removal of an entity, if it is recent and the entity is not there again."""
        found = self._insight.get_removed(str(parse_ref(ref)), self._since())
        return None if found is None else self._named(found)

    def _named(self, item: Removed) -> Removed:
        return replace(item, actor_name=self._actors.name(item.actor))

    def restore(self, principal: Principal, ref: str) -> Entity:
        """Bring a removed entity back: read its source again, or register the location that it came from again.

        Raises NotFound when it was not removed lately, Conflict when its source no longer holds it, Denied, or what
        the source raises.
        """
        wanted = str(parse_ref(ref))
        removed = self.tombstone(wanted)
        if removed is None:
            raise NotFound("catalog.not_removed", f"{wanted} was not removed in the last {self._days} days.")
        origin = _origin(self._records.versions(wanted, 1)[0].before)
        location = self._store.locations.find(*origin)
        if location is None or location.origin == "child":
            self._locations.register(principal, *origin)
        else:
            self._locations.refresh(principal, location.id)
        entity = self._catalog.find(wanted)
        if entity is None:
            raise Conflict(
                "catalog.not_in_source",
                f"{':'.join(origin)} no longer holds {wanted}.",
                hint="Put its document back into the file; the history shows what it was.",
            )
        return entity

    def _since(self) -> datetime:
        return self._now() - timedelta(days=self._days)


def _origin(before: Mapping[str, Any] | None) -> tuple[str, str]:
    annotations = ((before or {}).get("metadata") or {}).get("annotations") or {}
    type_, _, target = str(annotations.get(_ORIGIN, "")).partition(":")
    if not target:
        raise Conflict("catalog.no_origin", "It is not known where this entity came from.", hint="Register its file.")
    return type_, target
