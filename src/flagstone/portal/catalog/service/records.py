"""What is kept beside the entities: problems, history, sources, and each person's stars."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flagstone.foundation.access import AccessService
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import FlagstoneError, NotFound
from flagstone.kernel.paging import Page
from flagstone.kernel.refs import parse_ref
from flagstone.portal.catalog.model import CatalogProblem, Change, Entity, Relation
from flagstone.portal.catalog.service.actors import Actors
from flagstone.portal.catalog.service.catalog import CatalogService
from flagstone.portal.catalog.service.ingest import IngestService
from flagstone.portal.catalog.store import CatalogStore

_README = "flagstone.dev/readme"
_README_SECONDS = 30.0
_REMOTE_SECONDS = 600.0
_MAX_READMES = 200
_OUTPUT = ("uid", "etag")


@dataclass(frozen=True, slots=True)
class Beside:
    """A text file beside an entity's file."""

    path: str
    text: str


def is_remote(entity: Entity) -> bool:
    """Whether the files beside it are asked of another host each time: no page waits for them."""
    return entity.source.location_type == "url"


class RecordService:
    """Problems, history, source and files beside it."""

    def __init__(
        self,
        store: CatalogStore,
        catalog: CatalogService,
        ingest: IngestService,
        access: AccessService,
        actors: Actors | None = None,
    ) -> None:
        self._store = store
        self._actors = actors or Actors()
        self._catalog = catalog
        self._ingest = ingest
        self._access = access
        self._readmes: dict[tuple[str, str | None, str | None], tuple[float, Beside | FlagstoneError]] = {}

    def problems(
        self,
        *,
        entity_ref: str | None = None,
        location_ids: Collection[str] = (),
        codes: Collection[str] = (),
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[CatalogProblem]:
        """A page of problems, newest first."""
        ref = str(parse_ref(entity_ref)) if entity_ref is not None else None
        return self._store.records.problems(
            entity_ref=ref, location_ids=location_ids, codes=codes, cursor=cursor, limit=limit
        )

    def count_problems(self) -> int:
        """How many problems there are."""
        return self._store.records.count_problems()

    def dangling(self, limit: int = 100) -> list[Relation]:
        """Relations that lead nowhere."""
        return self._store.reader.dangling(limit)

    def history(self, ref: str, *, cursor: str | None = None, limit: int | None = None) -> Page[Change]:
        """A page of changes, newest first, with the fields that differ."""
        page = self._store.records.history(str(parse_ref(ref)), cursor=cursor, limit=limit)
        changes = tuple(
            replace(self._named(change), fields=differences(change.before, change.after)) for change in page.items
        )
        return Page(changes, page.next_cursor)

    def versions(self, ref: str, limit: int = 200) -> list[Change]:
        """The latest changes in short, newest first: what can be compared."""
        return [self._named(change) for change in self._store.records.history(str(parse_ref(ref)), limit=limit).items]

    def _named(self, change: Change) -> Change:
        return replace(change, actor_name=self._actors.name(change.actor))

    def at(self, ref: str, moment: datetime) -> tuple[Mapping[str, Any] | None, Change | None]:
        """What an entity was at a moment (None: it was not there), and the change that made it so."""
        wanted = str(parse_ref(ref))
        cursor = None
        while True:
            page = self._store.records.history(wanted, cursor=cursor, limit=100)
            for change in page.items:
                if change.at <= moment:
                    return change.after, self._named(change)
            cursor = page.next_cursor
            if cursor is None:
                return None, None

    def source_text(self, ref: str) -> str:
        """The document as it was written. Raises NotFound (``catalog.no_entity``)."""
        found = self._store.reader.source_text(str(parse_ref(ref)))
        if found is None:
            raise NotFound("catalog.no_entity", f"There is no entity {ref} in the catalog.")
        return found

    def beside(self, entity: Entity, path: str) -> Beside:
        """A text file beside the entity's file. Raises NotFound, Denied, Unavailable, Invalid."""
        content = self._ingest.beside(entity.source.ref, path)
        return Beside(path, content.decode("utf-8", "replace"))

    def readme(self, entity: Entity) -> Beside:
        """The README beside the entity's file, or the one that the annotation ``flagstone.dev/readme`` names.

        Raises NotFound when there is none, else what the source raises. Remembered for half a minute, what another
        host holds for ten.
        """
        key = (entity.source.ref, entity.source.commit, entity.annotations.get(_README))
        moment = time.monotonic()
        known = self._readmes.get(key)
        if known is not None and known[0] > moment:
            found = known[1]
        else:
            try:
                found = self.beside(entity, entity.annotations.get(_README) or "README.md")
            except FlagstoneError as error:
                found = error
            if len(self._readmes) >= _MAX_READMES:
                self._readmes.clear()
            self._readmes[key] = (moment + (_REMOTE_SECONDS if is_remote(entity) else _README_SECONDS), found)
        if isinstance(found, FlagstoneError):
            raise found
        return found

    def has_readme(self, entity: Entity) -> bool:
        """Whether there is a README that can be read now. No other host is asked: there may be one until it was."""
        key = (entity.source.ref, entity.source.commit, entity.annotations.get(_README))
        if is_remote(entity):
            known = self._readmes.get(key)
            return known is None or not isinstance(known[1], FlagstoneError)
        try:
            self.readme(entity)
        except FlagstoneError:
            return False
        return True

    def refresh(self, principal: Principal, ref: str) -> Entity | None:
        """Read the source of an entity again now. Returns what it is then; None when it is gone.

        Raises NotFound, Denied, or what the source raises.
        """
        entity = self._catalog.get(ref)
        self._access.check(principal, "catalog.entity.refresh", owner=entity.owner, resource=entity.ref)
        self._ingest.refresh(entity.source.location_id, actor=principal.id, force=True)
        return self._catalog.find(entity.ref)


class StarService:
    """Each person's stars."""

    def __init__(self, store: CatalogStore, *, now: Now = utc_now) -> None:
        self._store = store
        self._now = now

    def star(self, principal: Principal, ref: str) -> None:
        """Star an entity; twice is once."""
        self._store.records.star(principal.id, str(parse_ref(ref)), self._now())

    def unstar(self, principal: Principal, ref: str) -> None:
        """Take the star away; none is fine."""
        self._store.records.unstar(principal.id, str(parse_ref(ref)))

    def starred(self, principal: Principal, refs: Collection[str]) -> set[str]:
        """Which of the refs the principal has starred."""
        return self._store.records.starred(principal.id, refs)


def differences(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Dotted paths that differ between two versions of an entity; what the catalog itself adds does not count."""
    if before is None or after is None:
        return ()
    found: list[str] = []

    def look(one: Any, other: Any, path: str) -> None:
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            for key in sorted({*one, *other}):
                if not path and key in ("relations", "status"):
                    continue
                if path == "metadata" and key in _OUTPUT:
                    continue
                look(one.get(key), other.get(key), f"{path}.{key}" if path else str(key))
        elif one != other:
            found.append(path)

    look(before, after, "")
    return tuple(found)
