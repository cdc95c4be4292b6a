"""Reading locations into the catalog: source, documents, one transaction for each location."""

from __future__ import annotations

import logging
import random
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from threading import Event
from typing import TypeVar

from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import FlagstoneError, NotFound, Temporary
from flagstone.portal.catalog.model import Location
from flagstone.portal.catalog.model.documents import children_of
from flagstone.portal.catalog.model.draft import Draft
from flagstone.portal.catalog.model.kinds import KindRegistry
from flagstone.portal.catalog.service.ahead import Piece
from flagstone.portal.catalog.service.declared import rules_of
from flagstone.portal.catalog.service.documents import DocumentReader, Parsed
from flagstone.portal.catalog.service.holding import Holding, Locks
from flagstone.portal.catalog.service.opening import Listed, Opened, Opener
from flagstone.portal.catalog.service.parsing import Parser
from flagstone.portal.catalog.service.reading import Reading
from flagstone.portal.catalog.service.source_book import SourceBook
from flagstone.portal.catalog.service.sync import Report, Sync
from flagstone.portal.catalog.settings import CatalogSettings
from flagstone.portal.catalog.store import CatalogStore
from flagstone.sdk import EntitySource, SourceContext, SourceFile, SourceSnapshot
from flagstone.toolkit.memory import give_back
from flagstone.toolkit.workers import WorkerPool

log = logging.getLogger("flagstone.catalog")

ACTOR = "system:catalog"
_STOPPED = "catalog.stopped"
_LONGEST_WAIT = 60.0
_PAUSE = 0.05
_SETTLE_SECONDS = 10.0
_MANY = 1_000
"""So many changes at once are told to the database's planner."""
_AHEAD = 64
_FILES_AHEAD = 400
_LISTED_AHEAD = 4_000
"""How much of what sources have named waits to be read."""
_FILES_TOGETHER = 160
"""Written in one transaction: others who write wait for it no longer than a moment."""


class _Optional(Exception):
    """A location that need not be there is not there."""


class _Again(Exception):
    """Files that were passed over have to be read after all."""


class _Overtaken(_Again):
    """Somebody else has read the location meanwhile."""


T = TypeVar("T")


class IngestService(SourceBook):
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
        pool: WorkerPool | None = None,
    ) -> None:
        super().__init__(sources)
        self._store = store
        self._kinds = kinds
        self._locks = Locks()
        self._pause = Event()
        self._ctx = ctx
        self._settings = settings
        self._rules = rules_of(settings)
        self._now = now
        self._sync = Sync(store, settings, now, self.next_read, self._named)
        self._parser = Parser(kinds, self._rules, ctx, pool)
        self._opener = Opener(store, self, ctx, self._parser)
        self._settled = time.monotonic()
        self._stopping = False
        self._written = 0
        self._told = 0
        """Changes that the database's planner has been told of so far."""
        self._in_a_row = 0
        """Files parsed by reads that followed each other without a pause."""

    def refresh(self, location_id: str, *, actor: str = ACTOR, force: bool = False) -> Report:
        """Read one location. Raises NotFound when it is gone, else what the source raised, after noting it.

        With ``force`` even a source that says it has not changed is looked through; files that are the same are not
        parsed again.
        """
        with self._locks.of(location_id):
            report = self._refresh_until_done(location_id, actor=actor, force=force)
        self._settle()
        return report

    def _refresh_until_done(self, location_id: str, *, actor: str, force: bool) -> Report:
        until = time.monotonic() + _LONGEST_WAIT
        trust = True
        while time.monotonic() < until:
            with self._store.leases.hold(location_id) as held:
                if held:
                    location = self._existing(location_id)
                    try:
                        with self._noting(location):
                            report = self._complete(self._open(location, force=force, trust=trust), actor)
                    except _Overtaken:
                        continue
                    except _Again:
                        trust = False
                        continue
                    except _Optional:
                        return self._sync.still([(location, None)])[0]
                    return report
            self._pause.wait(_PAUSE)
        raise Temporary("catalog.busy", f"The location {location_id} is being read by others all the time.")

    def _existing(self, location_id: str) -> Location:
        location = self._store.locations.get(location_id)
        if location is None:
            raise NotFound("catalog.no_location", f"There is no location {location_id}.")
        return location

    @contextmanager
    def _noting(self, location: Location) -> Iterator[None]:
        """Note what a source raises."""
        try:
            yield
        except _Again:
            raise
        except FlagstoneError as error:
            if isinstance(error, NotFound) and location.presence == "optional":
                raise _Optional from error
            if error.code != _STOPPED:
                self._sync.failed(location, error.code, error.message, error.hint)
            raise
        except Exception:
            self._sync.failed(location, "catalog.source_broken", "the source failed.", "See the server log.")
            raise

    def refresh_tree(self, location_id: str, *, actor: str = ACTOR, force: bool = False) -> list[Report]:
        """Read a location and all that its Location entities lead to. Raises only for the first one."""
        with self._locks.of(location_id):
            reports = [self._refresh_until_done(location_id, actor=actor, force=force)]
        seen = {location_id}
        waiting = deque(reports[0].children)

        def following() -> Iterator[str]:
            while waiting:
                child = waiting.popleft()
                if child not in seen:
                    seen.add(child)
                    yield child

        while waiting:
            for report in self._read_many(following(), actor=actor, force=force):
                reports.append(report)
                waiting.extend(report.children)
        self._settle()
        return reports

    def refresh_due(self, limit: int = 20) -> int:
        """Read what is due; returns how many locations were read. Failures are noted, never raised."""
        now = self._now()
        due = self._store.locations.take_due(now, limit, lambda: self.next_read(now))
        for _report in self._read_many(iter(due), actor=ACTOR, force=False, parsed=self._in_a_row):
            pass
        if len(due) < limit:
            self._in_a_row = 0
        # A catalog that has grown several times over is asked by plans that were made for a small one.
        grown = self._written >= max(_MANY, 3 * self._told)
        if grown or len(due) < limit or time.monotonic() - self._settled > _SETTLE_SECONDS:
            self._settle()
        return len(due)

    def _read_many(self, ids: Iterator[str], *, actor: str, force: bool, parsed: int = 0) -> Iterator[Report]:
        """Read locations, some of them ahead, and write small ones together. Failures are noted, never raised.

        ``parsed``: files that were parsed right before, for whether workers are worth it.
        """
        waiting: deque[Opened] = deque()
        with Holding(self._locks, self._store.leases) as holding:
            opening = self._opened(ids, holding, force=force, parsed=parsed)
            more = True
            while (more or waiting) and not self._stopping:
                while more and len(waiting) < _AHEAD and sum(one.files for one in waiting) < _FILES_AHEAD:
                    found = next(opening, None)
                    if found is None:
                        more = False
                        break
                    waiting.append(found)
                together = [waiting.popleft()] if waiting else []
                while waiting and sum(one.files for one in together) + waiting[0].files <= _FILES_TOGETHER:
                    together.append(waiting.popleft())
                reports = self._complete_many(together, actor, force=force)
                holding.let_go(one.location.id for one in together)
                yield from reports

    def _opened(self, ids: Iterator[str], holding: Holding, *, force: bool, parsed: int) -> Iterator[Opened]:
        """Locations that nobody else reads now, opened one after another. What cannot be read is noted."""
        origins: dict[str, str] = {}
        while wanted := list(islice(ids, _AHEAD)):
            taken = holding.take(wanted)
            known = {one.id: one for one in self._store.locations.by_ids(taken)}
            includes = self._opener.facts(list(known.values()), origins, force=force)
            there = deque(known[id_] for id_ in taken if id_ in origins)
            while there:
                looked: list[Listed | Opened] = []
                while there and sum(found.weight for found in looked) < _LISTED_AHEAD:
                    one = there.popleft()
                    look = partial(self._opener.look, one, origins[one.id], includes.get(one.id, ()), force=force)
                    looked += self._noted(one, look)
                files = self._opener.known(looked)
                for found in looked:
                    many = self._parser.are_many(parsed)
                    for opened in self._noted(found.location, partial(self._opener.open, found, files, many=many)):
                        parsed += opened.files
                        self._in_a_row = parsed
                        yield opened

    def _noted(self, location: Location, call: Callable[[], T]) -> list[T | Opened]:
        """What a call gives, if it does; what it raises is noted."""
        try:
            with self._noting(location):
                return [call()]
        except _Optional:
            return [Opened(location, None)]
        except FlagstoneError as error:
            log.warning("the location %s cannot be read: %s", location.ref, error.message)
        except Exception:
            log.exception("the location %s cannot be read", location.ref)
        return []

    def _complete_many(self, opened: Sequence[Opened], actor: str, *, force: bool) -> list[Report]:
        """Write some locations in one transaction, or each in its own when one of them fails."""
        still = [one for one in opened if one.still]
        small = [one for one in opened if not one.still and not one.big]
        reports: list[Report] = []
        alone = [one for one in opened if one.big]
        for group, write in ((still, self._unchanged), (small, partial(self._apply, actor=actor))):
            try:
                reports += write(group) if group else []
            except Exception:  # noqa: BLE001  each of them is tried again by itself, where its fault is noted
                alone += group
        for one in alone:
            reports += self._complete_alone(one, actor, force=force, begun=one.big)
        return reports

    def _complete_alone(self, opened: Opened, actor: str, *, force: bool, begun: bool) -> list[Report]:
        """Write one location; unless that is ``begun`` with what was opened, it is read once more before."""
        location = opened.location
        try:
            if begun:
                with suppress(_Again), self._noting(location):
                    return [self._complete(opened, actor)]
            return [self._refresh_until_done(location.id, actor=actor, force=force)]
        except FlagstoneError as error:
            log.warning("the location %s cannot be read: %s", location.ref, error.message)
        except Exception:
            log.exception("the location %s cannot be read", location.ref)
        return []

    def _settle(self) -> None:
        self._written += self._sync.settle(lambda: self._stopping)
        self._settled = time.monotonic()
        if self._written >= _MANY:
            self._told += self._written
            self._written = 0
            self._store.analyze()
            give_back()

    def stop(self) -> None:
        """Stop reading at the next piece, and end the workers. What was cut off is read again after the next start."""
        self._stopping = True
        self._parser.close()

    def seconds_until_due(self) -> float | None:
        """How long until a location is due; None when there is none."""
        moment = self._store.locations.next_due()
        return None if moment is None else max(0.0, (moment - self._now()).total_seconds())

    def hurry(self, type_: str, *prefixes: str) -> int:
        """Have every location of a type whose target is or starts so read again now. Returns how many there are."""
        return self._store.locations.mark_due(self._now(), type_=type_, prefixes=prefixes)

    def never_read(self) -> int:
        """How many locations of the settings have not been tried yet."""
        return self._store.locations.count_untried("settings")

    def look(self, type_: str, target: str) -> tuple[SourceSnapshot, Parsed]:
        """Read without writing anything. Raises what the source raises."""
        source = self.source(type_)
        snapshot = source.read(target, self._ctx)
        return snapshot, DocumentReader(source, self._ctx, self._kinds, f"{type_}:{target}", self._rules).read(snapshot)

    def read_document(self, type_: str, target: str, content: bytes) -> Parsed:
        """What a file of this content would hold if it stood there. Writes nothing; never raises for the content."""
        source = self.source(type_)
        name = f"{type_}:{target}"
        snapshot = SourceSnapshot(None, (SourceFile(target, name, content, view_url=target),))
        return DocumentReader(source, self._ctx, self._kinds, name).read(snapshot)

    def beside(self, location_ref: str, path: str) -> bytes:
        """A file beside an entity's file. Raises NotFound, Denied, Unavailable, Invalid."""
        return self.source(location_ref.partition(":")[0]).read_beside(location_ref, path, self._ctx)

    def _named(self, location: Location, without: Collection[str]) -> set[str] | None:
        """Ids of the locations that the Location entities of a location name; None when one cannot be resolved."""
        source, found = self.source(location.type), set()
        for entity in self._store.reader.entities(self._store.locations.declaring(location.id)).values():
            for child in () if entity.ref in without else children_of(entity.data):
                type_, target = child.type or location.type, child.target
                try:
                    if type_ == location.type:
                        target = source.resolve(entity.source.ref.partition(":")[2], target)
                except FlagstoneError:
                    return None
                known = self._store.locations.find(type_, target)
                if known is not None:
                    found.add(known.id)
        return found

    def discard(self, location_ids: Sequence[str], *, actor: str) -> int:
        """Remove locations and what was read from them. Returns how many entities went."""
        return self._sync.discard(location_ids, actor)

    def drop(self, location: Location, gone: Sequence[str]) -> bool:
        """Ask before a location goes with these and all their entities; False when they are too few to ask about."""
        count = sum(item.entities for item in self._store.locations.by_ids(gone))
        if count <= self._settings.deletion_guard_minimum:
            return False
        self._sync.drop(location, count)
        return True

    def undrop(self, location: Location) -> None:
        """Take that question back."""
        self._sync.undrop(location)

    def next_read(self, now: datetime) -> datetime:
        """When to read next: the interval and up to half of it more, so that locations do not march in step."""
        return now + timedelta(seconds=self._settings.refresh_seconds * random.uniform(1.0, 1.5))  # noqa: S311  only jitter

    def _open(self, location: Location, *, force: bool, trust: bool) -> Opened:
        """Open one location by itself. Raises what the source raises."""
        origins: dict[str, str] = {}
        includes = self._opener.facts([location], origins, force=force)
        found = self._opener.look(
            location, origins.get(location.id, location.ref), includes.get(location.id, ()), force=force, trust=trust
        )
        return self._opener.open(found, self._opener.known([found]))

    def _complete(self, opened: Opened, actor: str) -> Report:
        """Write what was read of one location. Raises _Again when it has to be read once more."""
        if opened.still:
            return self._unchanged([opened])[0]
        if opened.big and opened.reading is not None and opened.source is not None:
            return self._complete_big(opened.location, opened.reading, opened.source, actor)
        return self._apply([opened], actor)[0]

    def _unchanged(self, group: Sequence[Opened]) -> list[Report]:
        return self._sync.still([(one.location, one.version) for one in group])

    def _apply(self, group: Sequence[Opened], actor: str) -> list[Report]:
        """Write small locations in one transaction. Raises _Again when that of one has to be read once more."""
        pieces = [Piece(one.location.id, one.reading, one.parsed()) for one in group if one.reading is not None]
        reports: list[Report] = []
        with self._store.much(), self._sync.together(pieces):
            for one, piece in zip(group, pieces, strict=True):
                drafts = self._counting(one.location, piece.reading, piece.drafts)
                report = self._sync.apply(one.location, piece.reading, drafts, actor)
                if report is None:
                    raise _Overtaken
                reports.append(report)
        for one, report in zip(group, reports, strict=True):
            self._tell(one.location, report)
        return reports

    def _complete_big(self, location: Location, reading: Reading, source: EntitySource, actor: str) -> Report:
        files = reading.files(source, location, self._ctx)
        for pieces in self._parser.parse(files, source, reading.origin_ref, many=True):
            if self._stopping:
                raise Temporary(_STOPPED, "The server is being stopped.")
            drafts = self._counting(location, reading, reading.merged.add(pieces))
            reading.piece = {file.path for file, _ in pieces}
            if not self._sync.put(location, reading, drafts, actor):
                raise _Overtaken
        reading.piece = set()
        if not self._sync.put(location, reading, (), actor):
            raise _Overtaken
        report = self._sync.finish(location, reading, actor)
        if report is None:
            raise _Overtaken
        self._tell(location, report)
        return report

    def _counting(self, location: Location, reading: Reading, drafts: Sequence[Draft]) -> Sequence[Draft]:
        """Leave out what a file that was passed over declares, too: the first one in order keeps the name."""
        if not reading.skipped or not drafts:
            return drafts
        same = {path for path in reading.known if path not in reading.stamps}
        looked_at = ({entry.path for entry in reading.to_read} - same) | reading.gone
        stored = self._sync.stored(drafts)
        counting = []
        for draft in drafts:
            other = stored.get(draft.ref)
            if other is None or other.location_id != location.id or other.source_path == draft.source_path:
                counting.append(draft)  # its own, or another location's, which the write finds out
            elif other.source_path in looked_at:
                counting.append(draft)  # that file is read, too: whoever comes first in order keeps the name
            elif other.source_path < draft.source_path:
                reading.merged.twice(draft, f"{other.source_path}:{other.source_line}")
            else:
                raise _Again
        return counting

    def _tell(self, location: Location, report: Report) -> None:
        self._written += report.created + report.changed + report.removed
        if report.created or report.changed or report.removed or report.problems:
            log.info(
                "read %s: %d created, %d changed, %d removed, %d problems",
                location.ref,
                report.created,
                report.changed,
                report.removed,
                report.problems,
            )
