"""Reading locations into the catalog: source, documents, one transaction for each location."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import Conflict, FlagstoneError, Invalid, NotFound, Temporary
from flagstone.portal.catalog.model import Location
from flagstone.portal.catalog.model.kinds import KindRegistry
from flagstone.portal.catalog.service.declared import rules_of
from flagstone.portal.catalog.service.documents import DocumentReader, Parsed, digest_of_bytes
from flagstone.portal.catalog.service.sync import Report, Sync
from flagstone.portal.catalog.settings import CatalogSettings
from flagstone.portal.catalog.store import CatalogStore
from flagstone.sdk import EntitySource, SourceContext, SourceSnapshot

log = logging.getLogger("flagstone.catalog")

ACTOR = "system:catalog"
_TRIES = 10


class IngestService:
    """Reads. Safe to call from many threads and processes at once: a read that was overtaken is done again."""

    def __init__(
        self,
        store: CatalogStore,
        kinds: KindRegistry,
        sources: Iterable[EntitySource],
        ctx: SourceContext,
        settings: CatalogSettings,
        *,
        now: Now = utc_now,
    ) -> None:
        self._store = store
        self._kinds = kinds
        self._locks: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._guard = threading.Lock()
        self._sources: dict[str, EntitySource] = {}
        for source in sources:
            self.add_source(source)
        self._ctx = ctx
        self._settings = settings
        self._rules = rules_of(settings)
        self._now = now
        self._sync = Sync(store, settings, now, self.next_read)

    def add_source(self, source: EntitySource, plugin: str = "") -> None:
        """Register a type of location. Raises Conflict (``catalog.source_twice``) when there is one of this name."""
        if source.type in self._sources:
            message = f"The type of location {source.type!r} of {plugin or '?'} is there already."
            raise Conflict("catalog.source_twice", message, hint="Remove one of the two plugins.")
        self._sources[source.type] = source

    def source(self, type_: str) -> EntitySource:
        """The source of a type of location. Raises Invalid (``catalog.unknown_source``)."""
        source = self._sources.get(type_)
        if source is None:
            known = ", ".join(sorted(self._sources))
            raise Invalid("catalog.unknown_source", f"There is no type of location {type_!r}.", hint=f"Known: {known}.")
        return source

    def source_types(self) -> list[str]:
        """Types of locations that can be read."""
        return sorted(self._sources)

    def refresh(self, location_id: str, *, actor: str = ACTOR, force: bool = False) -> Report:
        """Read one location. Raises NotFound when it is gone, else what the source raised, after noting it.

        With ``force`` even a source that says it has not changed is read whole.
        """
        with self._lock_of(location_id):
            return self._refresh_until_done(location_id, actor=actor, force=force)

    def _lock_of(self, location_id: str) -> threading.Lock:
        """Readers of one location in this process queue up; other processes are met in the database."""
        with self._guard:
            return self._locks.setdefault(location_id, threading.Lock())

    def _refresh_until_done(self, location_id: str, *, actor: str, force: bool) -> Report:
        for _ in range(_TRIES):
            location = self._store.locations.get(location_id)
            if location is None:
                raise NotFound("catalog.no_location", f"There is no location {location_id}.")
            try:
                report = self._refresh(location, actor=actor, force=force)
            except FlagstoneError as error:
                if isinstance(error, NotFound) and location.presence == "optional":
                    return self._sync.still(location, None)
                self._sync.failed(location, error.code, error.message, error.hint)
                raise
            except Exception:
                self._sync.failed(location, "catalog.source_broken", "the source failed.", "See the server log.")
                raise
            if report is not None:
                self._sync.settle()
                return report
        raise Temporary("catalog.busy", f"The location {location_id} is being read by others all the time.")

    def refresh_tree(self, location_id: str, *, actor: str = ACTOR, force: bool = False) -> list[Report]:
        """Read a location and all that its Location entities lead to. Raises only for the first one."""
        reports = [self.refresh(location_id, actor=actor, force=force)]
        seen = {location_id}
        waiting = list(reports[0].children)
        while waiting:
            child = waiting.pop(0)
            if child in seen:
                continue
            seen.add(child)
            try:
                reports.append(self.refresh(child, actor=actor, force=force))
            except FlagstoneError as error:
                log.warning("the location %s cannot be read: %s", child, error.message)
                continue
            waiting += reports[-1].children
        return reports

    def refresh_due(self, limit: int = 20) -> int:
        """Read what is due; returns how many locations were read. Failures are noted, never raised."""
        done = 0
        for location in self._store.locations.due(self._now(), limit):
            if not self._store.locations.claim(location, self.next_read(self._now())):
                continue
            done += 1
            try:
                self.refresh(location.id)
            except FlagstoneError as error:
                log.warning("the location %s cannot be read: %s", location.ref, error.message)
            except Exception:
                log.exception("the location %s cannot be read", location.ref)
        return done

    def seconds_until_due(self) -> float | None:
        """How long until a location is due; None when there is none."""
        moment = self._store.locations.next_due()
        return None if moment is None else max(0.0, (moment - self._now()).total_seconds())

    def hurry(self, type_: str, prefix: str) -> int:
        """Have every location of a type whose target starts so read again now. Returns how many there are."""
        return self._store.locations.mark_due(self._now(), type_=type_, prefix=prefix)

    def never_read(self) -> int:
        """How many locations of the settings have not been tried yet."""
        return self._store.locations.count_untried("settings")

    def look(self, type_: str, target: str) -> tuple[SourceSnapshot, Parsed]:
        """Read without writing anything. Raises what the source raises."""
        source = self.source(type_)
        snapshot = source.read(target, self._ctx)
        return snapshot, DocumentReader(source, self._ctx, self._kinds, f"{type_}:{target}", self._rules).read(snapshot)

    def beside(self, location_ref: str, path: str) -> bytes:
        """A file beside an entity's file. Raises NotFound, Denied, Unavailable, Invalid."""
        return self.source(location_ref.partition(":")[0]).read_beside(location_ref, path, self._ctx)

    def discard(self, location_ids: Sequence[str], *, actor: str) -> int:
        """Remove locations and what was read from them. Returns how many entities went."""
        return self._sync.discard(location_ids, actor)

    def next_read(self, now: datetime) -> datetime:
        """When to read next: the interval and up to half of it more, so that locations do not march in step."""
        return now + timedelta(seconds=self._settings.refresh_seconds * random.uniform(1.0, 1.5))  # noqa: S311  only jitter

    def _refresh(self, location: Location, *, actor: str, force: bool) -> Report | None:
        source = self.source(location.type)
        version = None if force else location.version
        if version is not None and not self._includes_unchanged(source, location):
            version = None
        snapshot = source.read(location.target, self._ctx, version=version)
        if snapshot.unchanged:
            return self._sync.still(location, snapshot.version)
        origin = self._store.locations.origin_of(location.id)
        parsed = DocumentReader(source, self._ctx, self._kinds, origin, self._rules).read(snapshot)
        report = self._sync.apply(location, snapshot, parsed, actor)
        if report is not None and (report.created or report.changed or report.removed or report.problems):
            log.info(
                "read %s: %d created, %d changed, %d removed, %d problems",
                location.ref,
                report.created,
                report.changed,
                report.removed,
                report.problems,
            )
        return report

    def _includes_unchanged(self, source: EntitySource, location: Location) -> bool:
        for base, path, digest in self._store.locations.includes(location.id):
            try:
                content = source.read_beside(base, path, self._ctx)
            except FlagstoneError:
                return False
            if digest_of_bytes(content) != digest:
                return False
        return True
