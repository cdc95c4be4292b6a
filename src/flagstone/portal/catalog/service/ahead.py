"""What is known of the locations that are written together: read at once before the first of them is written.

It is forgotten as soon as it may have become wrong, and then asked of the database again, for each location by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from flagstone.portal.catalog.model import Location
from flagstone.portal.catalog.model.draft import Draft
from flagstone.portal.catalog.service.documents import Child
from flagstone.portal.catalog.service.reading import Reading
from flagstone.portal.catalog.store import CatalogStore
from flagstone.portal.catalog.store.locations import Target
from flagstone.portal.catalog.store.writing import Stored


@dataclass(frozen=True, slots=True)
class Piece:
    """What is about to be written of a location."""

    location_id: str
    reading: Reading
    drafts: Sequence[Draft]


@dataclass(slots=True)
class _Ahead:
    """What is known of the locations of a transaction. Nobody else changes any of it meanwhile."""

    locations: dict[str, Location]
    linked: dict[str, set[str]]
    troubled: set[str]
    stored: dict[str, Stored]
    """What is stored under the names of the drafts, by ref."""
    paths: dict[tuple[str, str], list[Stored]]
    """What is stored from the files that were read, by location and path."""
    children: dict[Target, str]


class Ahead:
    """What the current thread knows. Without :meth:`_read` all is asked of the database."""

    def __init__(self, store: CatalogStore) -> None:
        self._store = store
        self._local = threading.local()

    def location(self, location_id: str) -> Location | None:
        """A location as it is now; nobody else changes it until the transaction ends."""
        if self._ahead is not None and location_id in self._ahead.locations:
            return self._ahead.locations[location_id]
        return next(iter(self._store.locations.by_ids([location_id], hold=True)), None)

    def of_paths(self, location_id: str, paths: Collection[str]) -> dict[str, Stored]:
        """What is stored from some files of a location, by ref."""
        keys = [(location_id, path) for path in paths]
        ahead = self._ahead
        if ahead is None or not all(key in ahead.paths for key in keys):
            return self._store.writer.of_paths(keys)
        return {one.ref: one for key in keys for one in ahead.paths[key]}

    def of_drafts(self, drafts: Sequence[Draft]) -> dict[str, Stored]:
        """What is stored under the names of drafts that are about to be written, by ref."""
        ahead = self._ahead
        if ahead is None:
            return self._store.writer.of_refs({draft.ref for draft in drafts})
        return {draft.ref: ahead.stored[draft.ref] for draft in drafts if draft.ref in ahead.stored}

    def linked(self, location_id: str) -> set[str]:
        """Ids of the locations that one leads to so far."""
        if self._ahead is not None and location_id in self._ahead.linked:
            return self._ahead.linked[location_id]
        return self._store.locations.children(location_id)

    def children(self, location: Location, children: Sequence[Child], now: datetime) -> set[str]:
        """Ids of the locations that one names; those that are new are made."""
        targets = [(child.type, child.target) for child in children]
        known = self._ahead.children if self._ahead is not None else {}
        if not all(target in known for target in targets):
            known = self._add_children([(location, children)], now)
        return {known[target] for target in targets}

    def untroubled(self, location_id: str) -> bool:
        """Whether a location is known to have no problems."""
        return self._ahead is not None and location_id not in self._ahead.troubled

    def forget(self) -> None:
        """Something of what was read ahead has been changed."""
        self._local.ahead = None

    @property
    def _ahead(self) -> _Ahead | None:
        return getattr(self._local, "ahead", None)

    def _read(self, pieces: Sequence[Piece], now: datetime) -> _Ahead:
        ids = [piece.location_id for piece in pieces]
        locations = {one.id: one for one in self._store.locations.by_ids(ids, hold=True)}
        named = [
            (locations[piece.location_id], piece.reading.merged.parsed.children)
            for piece in pieces
            if piece.location_id in locations
        ]
        stored = self._store.writer.of_refs({draft.ref for piece in pieces for draft in piece.drafts})
        paths: dict[tuple[str, str], list[Stored]] = {
            (piece.location_id, path): [] for piece in pieces for path in piece.reading.piece
        }
        for one in self._store.writer.of_paths([key for key in paths if locations.get(key[0])]).values():
            paths[one.location_id, one.source_path].append(one)
        return _Ahead(
            locations,
            self._store.locations.children_of(ids),
            self._store.records.troubled(ids),
            stored,
            paths,
            self._add_children(named, now),
        )

    def _add_children(self, named: Sequence[tuple[Location, Sequence[Child]]], now: datetime) -> dict[Target, str]:
        wanted: dict[Target, tuple[str, str]] = {}
        for location, children in named:
            for child in children:
                wanted.setdefault((child.type, child.target), (child.presence, location.ref))
        return self._store.locations.add_children(wanted, now)
