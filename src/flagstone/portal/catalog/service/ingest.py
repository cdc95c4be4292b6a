"""Reading locations into the catalog: source, documents, one transaction for each location."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import FlagstoneError, NotFound, Temporary
from flagstone.portal.catalog.model import Location
from flagstone.portal.catalog.model.documents import children_of
from flagstone.portal.catalog.model.draft import Draft
from flagstone.portal.catalog.model.kinds import KindRegistry
from flagstone.portal.catalog.service.declared import rules_of
from flagstone.portal.catalog.service.documents import DocumentReader, Parsed, digest_of_bytes
from flagstone.portal.catalog.service.parsing import Parser, Pieces
from flagstone.portal.catalog.service.reading import Reading, listed, start_reading
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
_SMALL = 100
"""Files of a location that is written in one transaction."""
_AHEAD = 64
_FILES_AHEAD = 400
_FILES_TOGETHER = 160
"""Written in one transaction: others who write wait for it no longer than a moment."""


class _Optional(Exception):
    """A location that need not be there is not there."""


class _Again(Exception):
    """Files that were passed over have to be read after all."""


@dataclass(slots=True)
class _Open:
    """A location on its way: what was read of it, and the answers of the parsers."""

    location: Location
    reading: Reading | None
    """None: the source says that nothing has changed."""
    version: str | None = None
    pieces: list[tuple[set[str], Callable[[], Pieces]]] = field(default_factory=list)
    source: EntitySource | None = None

    @property
    def files(self) -> int:
        """How many files are read."""
        return sum(len(paths) for paths, _ in self.pieces)


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
        self._locks: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._guard = threading.Lock()
        self._pause = threading.Event()
        self._ctx = ctx
        self._settings = settings
        self._rules = rules_of(settings)
        self._now = now
        self._sync = Sync(store, settings, now, self.next_read, self._named)
        self._parser = Parser(kinds, self._rules, ctx, pool)
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
        with self._lock_of(location_id):
            report = self._refresh_until_done(location_id, actor=actor, force=force)
        self._settle()
        return report

    def _lock_of(self, location_id: str) -> threading.Lock:
        """Readers of one location in this process queue up; other processes are met in the database."""
        with self._guard:
            return self._locks.setdefault(location_id, threading.Lock())

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
                    except _Again:
                        trust = False
                        continue
                    except _Optional:
                        return self._sync.still(location, None)
                    if report is not None:
                        return report
                    continue
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
        with self._lock_of(location_id):
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
        due = [
            location.id
            for location in self._store.locations.due(self._now(), limit)
            if self._store.locations.claim(location, self.next_read(self._now()))
        ]
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
        opened: deque[_Open] = deque()
        origins: dict[str, str] = {}
        more = True
        with ExitStack() as stack:
            while (more or opened) and not self._stopping:
                while more and len(opened) < _AHEAD and sum(one.files for one in opened) < _FILES_AHEAD:
                    id_ = next(ids, None)
                    if id_ is None:
                        more = False
                        break
                    many = self._parser.are_many(parsed)
                    found = self._open_one(id_, stack, origins, force=force, many=many)
                    if isinstance(found, _Open):
                        parsed += found.files
                        self._in_a_row = parsed
                        opened.append(found)
                    elif found is not None:
                        yield found
                together = [opened.popleft()] if opened else []
                while opened and sum(one.files for one in together) + opened[0].files <= _FILES_TOGETHER:
                    together.append(opened.popleft())
                yield from self._complete_many(together, actor, force=force)
                if not opened:
                    stack.close()

    def _open_one(
        self, id_: str, stack: ExitStack, origins: dict[str, str], *, force: bool, many: bool
    ) -> _Open | Report | None:
        """Read the source of a location; one that somebody else reads now is left to them."""
        lock = self._lock_of(id_)
        if not lock.acquire(blocking=False):
            return None
        stack.callback(lock.release)
        if not stack.enter_context(self._store.leases.hold(id_)):
            return None
        location = self._store.locations.get(id_)
        if location is None:
            return None
        try:
            with self._noting(location):
                return self._open(location, force=force, trust=True, many=many, origins=origins)
        except _Optional:
            return self._sync.still(location, None)
        except FlagstoneError as error:
            log.warning("the location %s cannot be read: %s", location.ref, error.message)
        except Exception:
            log.exception("the location %s cannot be read", location.ref)
        return None

    def _complete_many(self, opened: list[_Open], actor: str, *, force: bool) -> list[Report]:
        """Write some locations in one transaction, or each in its own when one of them fails."""
        small = [one for one in opened if not one.pieces or one.files <= _SMALL]
        reports: list[Report] = []
        try:
            answers = {id(one): [answer() for _paths, answer in one.pieces] for one in small}
            for one in small:
                one.pieces = [
                    (paths, lambda found=found: found)  # type: ignore[misc]
                    for (paths, _), found in zip(one.pieces, answers[id(one)], strict=True)
                ]
            done: list[Report] = []
            with self._store.much(), self._sync.together():
                for one in small:
                    report = self._complete(one, actor)
                    if report is None:
                        raise _Again
                    done.append(report)
            reports += done
        except Exception:  # noqa: BLE001  each of them is tried again by itself, where its fault is noted
            small = []
        for one in opened:
            if one in small:
                continue
            try:
                reports.append(self._refresh_until_done(one.location.id, actor=actor, force=force))
            except FlagstoneError as error:
                log.warning("the location %s cannot be read: %s", one.location.ref, error.message)
            except Exception:
                log.exception("the location %s cannot be read", one.location.ref)
        return reports

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

    def _open(
        self,
        location: Location,
        *,
        force: bool,
        trust: bool,
        many: bool = False,
        origins: dict[str, str] | None = None,
    ) -> _Open:
        """Ask the source what there is, and begin to read and parse. Raises what the source raises."""
        source = self.source(location.type)
        version = None if force else location.version
        if version is not None and not self._includes_unchanged(source, location):
            version = None
        listing, preloaded = listed(source, location.target, self._ctx, version)
        if listing.unchanged:
            return _Open(location, None, listing.version)
        origin = self._store.locations.origin_of(location.id, origins)
        reading = start_reading(
            listing,
            preloaded,
            self._store.files.of(location.id),
            origin_ref=origin,
            signature=self._parser.signature(origin),
            trust=trust,
        )
        found = _Open(location, reading, listing.version, source=source)
        many = many or self._parser.are_many(len(reading.to_read))
        if len(reading.to_read) <= _SMALL:
            files = list(reading.files(source, location, self._ctx))
            if files:
                answer = self._parser.submit(files, source, origin, many=many)
                found.pieces.append(({file.path for file in files}, answer))
        return found

    def _complete(self, opened: _Open, actor: str) -> Report | None:
        location, reading, source = opened.location, opened.reading, opened.source
        if reading is None or source is None:
            return self._sync.still(location, opened.version)
        if len(reading.to_read) > _SMALL:
            return self._complete_big(location, reading, source, actor)
        if not opened.pieces and reading.nothing and not location.held and location.state != "held":
            return self._unchanged(location, reading)
        with self._store.transaction():
            drafts: list[Draft] = []
            reading.piece = set()
            for paths, answer in opened.pieces:
                drafts += self._counting(location, reading, reading.merged.add(answer()))
                reading.piece |= paths
            report = self._sync.apply(location, reading, drafts, actor)
        self._tell(location, report)
        return report

    def _unchanged(self, location: Location, reading: Reading) -> Report:
        if reading.same:
            with self._store.transaction():
                self._store.files.put(location.id, reading.records(()))
        return self._sync.still(location, reading.version)

    def _complete_big(self, location: Location, reading: Reading, source: EntitySource, actor: str) -> Report | None:
        files = reading.files(source, location, self._ctx)
        for pieces in self._parser.parse(files, source, reading.origin_ref, many=True):
            if self._stopping:
                raise Temporary(_STOPPED, "The server is being stopped.")
            drafts = self._counting(location, reading, reading.merged.add(pieces))
            reading.piece = {file.path for file, _ in pieces}
            if not self._sync.put(location, reading, drafts, actor):
                return None
        reading.piece = set()
        if not self._sync.put(location, reading, (), actor):
            return None
        report = self._sync.finish(location, reading, actor)
        self._tell(location, report)
        return report

    def _counting(self, location: Location, reading: Reading, drafts: list[Draft]) -> list[Draft]:
        """Leave out what a file that was passed over declares, too: the first one in order keeps the name."""
        if not reading.skipped or not drafts:
            return drafts
        same = {path for path in reading.known if path not in reading.stamps}
        looked_at = ({entry.path for entry in reading.to_read} - same) | reading.gone
        stored = self._store.writer.of_refs([draft.ref for draft in drafts])
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

    def _tell(self, location: Location, report: Report | None) -> None:
        if report is not None:
            self._written += report.created + report.changed + report.removed
        if report is not None and (report.created or report.changed or report.removed or report.problems):
            log.info(
                "read %s: %d created, %d changed, %d removed, %d problems",
                location.ref,
                report.created,
                report.changed,
                report.removed,
                report.problems,
            )

    def _includes_unchanged(self, source: EntitySource, location: Location) -> bool:
        for base, path, digest in self._store.locations.includes(location.id):
            try:
                content = source.read_beside(base, path, self._ctx)
            except FlagstoneError:
                return False
            if digest_of_bytes(content) != digest:
                return False
        return True
