"""Bringing the catalog to what a location holds.

A small location is one transaction, all or nothing. A big one is many: entities that are new or changed come in pieces,
each whole with its relations and search rows; what is gone goes only in the last one, when everything has been read.
A read that is cut off leaves whole entities, deletes nothing, and the next one goes on from the files that it knows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flagstone.kernel.clock import Now
from flagstone.kernel.errors import Problem
from flagstone.kernel.ids import new_id
from flagstone.portal.catalog.model import Held, Location
from flagstone.portal.catalog.model.draft import Draft
from flagstone.portal.catalog.service.ahead import Piece
from flagstone.portal.catalog.service.documents import Child, Found
from flagstone.portal.catalog.service.reading import Reading
from flagstone.portal.catalog.service.together import Together
from flagstone.portal.catalog.settings import CatalogSettings
from flagstone.portal.catalog.store import CatalogStore
from flagstone.portal.catalog.store.writing import Stored

_STITCHED_AT_ONCE = 250
"""Documents of one transaction: others wait for it no longer than a moment."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a read did."""

    created: int = 0
    changed: int = 0
    removed: int = 0
    problems: int = 0
    held: Held | None = None
    children: tuple[str, ...] = ()
    unchanged: bool = False


Named = Callable[[Location, Collection[str]], set[str] | None]
"""Ids of the locations that the Location entities of a location name, without some refs; None: not all is known."""


class Sync:
    """Writes what was read."""

    def __init__(
        self,
        store: CatalogStore,
        settings: CatalogSettings,
        now: Now,
        next_read: Callable[[datetime], datetime],
        named: Named,
    ) -> None:
        self._store = store
        self._settings = settings
        self._now = now
        self._next_read = next_read
        self._named = named
        self._together = Together(store)

    def together(self, pieces: Sequence[Piece]) -> AbstractContextManager[None]:
        """Pieces that are written in this block, in one transaction, are read ahead and written at its end."""
        return self._together.gathering(pieces, self._now())

    def stored(self, drafts: Sequence[Draft]) -> dict[str, Stored]:
        """What is stored under the names of drafts that are about to be written, by ref."""
        return self._together.of_drafts(drafts)

    def apply(self, seen: Location, reading: Reading, drafts: Sequence[Draft], actor: str) -> Report | None:
        """Write what was read when the location was as ``seen``; None when somebody else was quicker."""
        with self._store.much():
            if not self.put(seen, reading, drafts, actor):
                return None
            return self.finish(seen, reading, actor)

    def put(self, seen: Location, reading: Reading, drafts: Sequence[Draft], actor: str) -> bool:
        """Write a piece: nothing is removed. False when somebody else was quicker."""
        now = self._now()
        together = self._together
        with self._store.much():
            together.lock()
            location = together.location(seen.id)
            if location is None or location.generation != seen.generation:
                return False
            if together.holds([draft.ref for draft in drafts]):
                together.write()
            writer = self._store.writer
            before = together.of_paths(location.id, reading.piece)
            reading.missing |= before.keys() - {draft.ref for draft in drafts}
            known = together.of_drafts([draft for draft in drafts if draft.ref not in before])
            before |= {ref: stored for ref, stored in known.items() if stored.location_id == location.id}
            elsewhere = {ref: stored for ref, stored in known.items() if stored.location_id != location.id}
            counts, own, touched, conflicts = self._put(location, drafts, before, elsewhere, actor, now)
            reading.created += counts[0]
            reading.changed += counts[1]
            reading.conflicts += conflicts
            reading.merged.unclean |= {draft.source_path for draft in drafts if draft.ref in elsewhere}
            together.put_files(location.id, reading.records(drafts), reading.piece & reading.merged.unclean)
            if own:
                writer.stitch(own.keys(), own)
                writer.defer(touched - own.keys())
                self._store.changed()
        return True

    def finish(self, seen: Location, reading: Reading, actor: str) -> Report | None:
        """Write what ends a read: deletions, problems, children; None when somebody else was quicker."""
        now = self._now()
        parsed = reading.merged.parsed
        with self._store.much():
            self._together.lock()
            location = self._together.location(seen.id)
            if location is None or location.generation != seen.generation:
                return None
            children, linked = self._add_children(location, parsed.children, now)
            gone, gone_locations, dropped = self._gone(location, reading, children, linked)
            held = self._guard(location, gone)
            affected: set[str] = set()
            if held is None:
                affected = self._remove(location, gone, gone_locations, actor, now)
                self._store.files.forget([(location.id, path) for path in reading.gone])
                if not parsed.keep_children:
                    kept = linked - dropped if reading.delta else children
                    self._store.locations.unlink(location.id, linked - kept)
            removed = gone if held is None else []
            held = held or (location.held if is_dropped(location) else None)
            problems = [*parsed.problems, *reading.conflicts, *_held_problem(held, location)]
            self._tell_problems(location, reading, problems, affected, now, removed=bool(removed))
            self._finish(location, reading, held, now)
            if not _as_told(location):
                self._together.tell_origin(location.id)
        return Report(reading.created, reading.changed, len(removed), len(problems), held, tuple(sorted(children)))

    def _tell_problems(
        self,
        location: Location,
        reading: Reading,
        problems: Sequence[Found],
        affected: set[str],
        now: datetime,
        *,
        removed: bool,
    ) -> None:
        told: set[str] = set()
        if problems:
            self._together.write()
        if problems or not self._together.untroubled(location.id):
            told = self._store.records.replace_problems(
                location.id,
                [_row(found, location.id, now) for found in problems],
                only_files=reading.names if reading.delta else None,
            )
        changed = self._store.writer.stitch(told, {})
        self._store.writer.defer(affected - told)
        if changed or removed:
            self._store.changed()

    def still(self, seen: Sequence[tuple[Location, str | None]]) -> list[Report]:
        """Note that sources have not changed, with the versions that they name now.

        What another server has written of a location since it was looked at stays.
        """
        now = self._now()
        with self._store.transaction():
            values = {
                location.id: {
                    "state": "held" if location.held else "ok",
                    "version": version,
                    "read_at": now,
                    "attempted_at": now,
                    "failures": 0,
                    "error": None,
                    "hint": None,
                    "next_read_at": self._next_read(now),
                }
                for location, version in seen
            }
            self._store.locations.finish_many(values, read={location.id: location.generation for location, _ in seen})
            for location, _ in seen:
                if location.state == "failed" or location.error is not None:
                    self._store.records.drop_problem(location.id, "catalog.source_failed")
                if not _as_told(location):
                    self._store.locations.tell_origin(location.id)
            children = self._store.locations.children_of(values.keys())
        return [Report(unchanged=True, children=tuple(sorted(children[location.id]))) for location, _ in seen]

    def failed(self, seen: Location, code: str, message: str, hint: str | None) -> None:
        """Note that a source could not be read. What was read from it before stays."""
        now = self._now()
        text = f"{seen.ref} cannot be read: {message}"
        problem = Problem(text, hint=hint or "What was read before is kept. It is tried again by itself.")
        with self._store.transaction():
            self._store.locations.fail(seen.id, error=message, hint=hint, at=now)
            row = _row(Found("catalog.source_failed", problem), seen.id, now)
            self._store.records.put_problem(row | {"field": code})
            self._store.locations.tell_origin(seen.id)

    def discard(self, location_ids: Iterable[str], actor: str) -> int:
        """Remove locations with all that was read from them: somebody asked for it. Returns how many entities went."""
        now = self._now()
        with self._store.transaction():
            self._store.lock()
            ids = set(location_ids)
            gone = list(self._store.writer.of_locations(ids).values())
            affected = self._store.writer.remove(gone, actor=actor, now=now, source="unregistered")
            self._store.locations.delete(ids)
            self._release(gone, now)
            self._store.writer.defer(affected)
            if gone:
                self._store.changed()
        self.settle()
        return len(gone)

    def drop(self, location: Location, count: int) -> None:
        """Ask before a location that the settings no longer name goes with all its entities; until then it stays."""
        held = Held(f"{_DROPPED}{location.id}", count, count, ())
        values = {"state": "held", "held": _held_values(held), "version": None}
        with self._store.transaction():
            self._store.locations.finish(location.id, values)
            for found in _held_problem(held, location):
                self._store.records.put_problem(_row(found, location.id, self._now()))

    def undrop(self, location: Location) -> None:
        """The settings name it again."""
        with self._store.transaction():
            values = {"state": "pending", "held": None, "version": None, "next_read_at": self._now()}
            self._store.locations.finish(location.id, values)
            self._store.records.drop_problem(location.id, "catalog.held")

    def settle(self, stopping: Callable[[], bool] = lambda: False) -> int:
        """Bring documents up to what others have changed of their relations. Returns how many changed."""
        total = 0
        while self._store.writer.deferred() and not stopping():
            with self._store.much():
                self._store.lock()
                _seen, changed = self._store.writer.stitch_deferred(_STITCHED_AT_ONCE)
                if changed:
                    self._store.changed()
            total += changed
        return total

    def _add_children(self, location: Location, children: Sequence[Child], now: datetime) -> tuple[set[str], set[str]]:
        """Ids of the locations that the files name now, and of all that the location leads to until some go."""
        linked = self._together.linked(location.id)
        ids = self._together.children(location, children, now) - {location.id}
        if ids - linked:
            self._together.link(location.id, ids - linked)
        return ids, linked | ids

    def _gone(
        self, location: Location, reading: Reading, children: set[str], linked: set[str]
    ) -> tuple[list[Stored], set[str], set[str]]:
        """Entities, locations that nothing leads to any more, and the links to children that end."""
        parsed = reading.merged.parsed
        if reading.missing or reading.gone:
            self._together.write()
        candidates = self._store.writer.of_refs(reading.missing - reading.merged.seen.keys())
        candidates |= self._store.writer.of_paths([(location.id, path) for path in reading.gone])
        gone = [
            stored
            for ref, stored in candidates.items()
            if stored.location_id == location.id
            and ref not in reading.merged.seen
            and ref not in parsed.kept_refs
            and stored.source_path not in parsed.kept_paths
            and not parsed.keep_all
        ]
        links = set() if parsed.keep_children else linked - children
        if links and reading.delta:
            # A delta names only what changed: what the other files name is asked of the catalog.
            self._together.write()
            named = self._named(location, {stored.ref for stored in gone})
            links = set() if named is None else links - named
        if not links:
            return gone, set(), set()
        self._together.write()
        locations = self._store.locations.unreachable(without_links=[(location.id, child) for child in links])
        gone += self._store.writer.of_locations(locations).values()
        return gone, locations, links

    def _guard(self, location: Location, gone: Sequence[Stored]) -> Held | None:
        if len(gone) <= self._settings.deletion_guard_minimum:
            return None
        below = self._store.locations.below(location.id) - {location.id}
        total = self._store.writer.count_of(location.id)
        total += sum(item.entities for item in self._store.locations.by_ids(below))
        if len(gone) <= self._settings.deletion_guard_share * total:
            return None
        refs = sorted(stored.ref for stored in gone)
        digest = hashlib.sha256("\n".join(refs).encode()).hexdigest()[:32]
        if location.approved == digest:
            return None
        return Held(digest, len(refs), total, tuple(refs[:20]))

    def _remove(
        self, location: Location, gone: Sequence[Stored], gone_locations: set[str], actor: str, now: datetime
    ) -> set[str]:
        if gone or gone_locations:
            self._together.forget()
        affected = self._store.writer.remove(gone, actor=actor, now=now, source=location.ref)
        if gone_locations:
            self._store.locations.delete(gone_locations)
        self._release(gone, now)
        return affected

    def _release(self, gone: Sequence[Stored], now: datetime) -> None:
        """Whoever lost a name to one of these may have it now."""
        if gone:
            waiting = self._store.records.waiting_for([stored.ref for stored in gone])
            if waiting:
                self._store.locations.mark_due(now, ids=waiting, forget=True)

    def _put(
        self,
        location: Location,
        drafts: Sequence[Draft],
        before: dict[str, Stored],
        elsewhere: dict[str, Stored],
        actor: str,
        now: datetime,
    ) -> tuple[tuple[int, int], dict[str, Draft], set[str], list[Found]]:
        conflicts = [
            _conflict(draft, self._store.locations.get(elsewhere[draft.ref].location_id))
            for draft in drafts
            if draft.ref in elsewhere
        ]
        new = sorted((d for d in drafts if d.ref not in before and d.ref not in elsewhere), key=lambda d: d.ref)
        known = [(draft, before[draft.ref]) for draft in drafts if draft.ref in before]
        changed = [pair for pair in known if pair[0].digest != pair[1].digest]
        moved = [(draft, stored) for draft, stored in known if draft.digest == stored.digest and _moved(draft, stored)]
        writer = self._store.writer
        touched: set[str] = set()
        if new:
            self._together.create(new, location.id, actor=actor, now=now)
        if changed:
            touched |= writer.change(changed, location.id, actor=actor, now=now)
        writer.touch(moved)
        if changed or moved:
            self._together.forget()
        own = {draft.ref: draft for draft, _ in changed}
        return (len(new), len(changed)), own, touched, conflicts

    def _finish(self, location: Location, reading: Reading, held: Held | None, now: datetime) -> None:
        values: dict[str, Any] = {
            "state": "held" if held else "ok",
            "version": reading.version,
            "includes": reading.merged.parsed.includes,
            "commit": next(iter(reading.commits)) if len(reading.commits) == 1 else None,
            "read_at": now,
            "attempted_at": now,
            "failures": 0,
            "error": None,
            "hint": None,
            "next_read_at": self._next_read(now),
            "approved": None,
            "held": None,
        }
        if held is not None:
            values["held"] = _held_values(held)
            # Read whole again next time: the answer may have been given, or the files mended.
            values["version"] = None
        self._together.finish(location.id, values)


def _moved(draft: Draft, stored: Stored) -> bool:
    now = (draft.source_path, draft.source_line, draft.source_commit)
    return now != (stored.source_path, stored.source_line, stored.source_commit)


def _conflict(draft: Draft, winner: Location | None) -> Found:
    where = winner.ref if winner else "another location"
    problem = Problem(
        f"{draft.ref} is declared in {where} already; this declaration is not used.",
        draft.source_ref.partition(":")[2],
        draft.source_line,
        "metadata.name",
        f"Rename this one, or unregister {where}.",
    )
    return Found("catalog.conflict", problem, draft.ref, "warning")


def is_dropped(location: Location) -> bool:
    """Whether the settings no longer name a location, and somebody is asked whether it shall go."""
    return location.held is not None and location.held.digest.startswith(_DROPPED)


_DROPPED = "dropped-"


def _as_told(location: Location) -> bool:
    """Whether the entity that stands for a location, if any, shows what is known of it once it has been read."""
    return location.origin == "child" or (location.state in ("ok", "held") and location.error is None)


def _held_values(held: Held) -> dict[str, Any]:
    return {"digest": held.digest, "count": held.count, "total": held.total, "sample": list(held.sample)}


def _held_problem(held: Held | None, location: Location) -> list[Found]:
    if held is None:
        return []
    if held.digest.startswith(_DROPPED):
        problem = Problem(
            f"{location.ref} is no longer in the settings. Removing it would remove {held.count} entities.",
            hint="If that is right, confirm it; otherwise put it back into catalog.locations.",
        )
        return [Found("catalog.held", problem, None, "warning", "confirm")]
    shown = ", ".join(held.sample[:5]) + ("…" if held.count > 5 else "")
    problem = Problem(
        f"Reading {location.ref} would remove {held.count} of {held.total} entities: {shown} Nothing was removed.",
        hint="If that is right, confirm it; otherwise mend the files.",
    )
    return [Found("catalog.held", problem, None, "warning", "confirm")]


def _row(found: Found, location_id: str, now: datetime) -> dict[str, Any]:
    problem = found.problem
    return {
        "id": new_id(),
        "location_id": location_id,
        "code": found.code,
        "level": found.level,
        "message": problem.message,
        "hint": problem.hint,
        "file": problem.file,
        "line": problem.line,
        "field": problem.field,
        "entity_ref": found.entity_ref,
        "action": found.action,
        "at": now,
    }
