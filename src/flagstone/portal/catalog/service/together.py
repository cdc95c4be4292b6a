"""Small locations that are written in one transaction: what is known of them is read at once, and so is it written.

One piece of a thousand entities costs far less than many small ones: fewer statements, and pages of indices that are
written once. Whoever is about to read what may lie here writes it down first (:meth:`Together.write`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flagstone.portal.catalog.model.draft import Draft
from flagstone.portal.catalog.service.ahead import Ahead, Piece
from flagstone.portal.catalog.store.files import FileRecord


@dataclass(slots=True)
class _Gathered:
    groups: list[tuple[Sequence[Draft], str]] = field(default_factory=list)
    refs: set[str] = field(default_factory=set)
    files: list[tuple[str, FileRecord]] = field(default_factory=list)
    forgotten: list[tuple[str, str]] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    finished: dict[str, dict[str, Any]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    actor: str = ""
    now: datetime | None = None


class Together(Ahead):
    """What the current thread has gathered. Without :meth:`gathering` all is read and written at once."""

    @contextmanager
    def gathering(self, pieces: Sequence[Piece], now: datetime) -> Iterator[None]:
        """Gather until the end of this block, which must lie in a transaction; an exception forgets it all."""
        self._store.lock()
        self._local.ahead = self._read(pieces, now)
        self._local.gathered = _Gathered()
        try:
            yield
            self.write()
        finally:
            self._local.gathered = self._local.ahead = None

    def lock(self) -> None:
        """Queue up with every other process that ingests, unless this is done."""
        if self._gathered is None:
            self._store.lock()

    def holds(self, refs: Collection[str]) -> bool:
        """Whether an entity of such a ref waits to be written."""
        return self._gathered is not None and not self._gathered.refs.isdisjoint(refs)

    def create(self, drafts: Sequence[Draft], location_id: str, *, actor: str, now: datetime) -> None:
        """Add entities with documents, search rows and relations. None of them may be there."""
        with self._into() as gathered:
            gathered.groups.append((drafts, location_id))
            gathered.refs.update(draft.ref for draft in drafts)
            gathered.actor, gathered.now = actor, now

    def put_files(self, location_id: str, records: Sequence[FileRecord], unclean: Collection[str]) -> None:
        """Remember files, and forget those that have to be read again next time."""
        with self._into() as gathered:
            gathered.files += ((location_id, record) for record in records)
            gathered.forgotten += ((location_id, path) for path in unclean)

    def link(self, location_id: str, child_ids: Collection[str]) -> None:
        """Note that a location leads to others, too."""
        with self._into() as gathered:
            gathered.links += ((location_id, child) for child in child_ids)

    def finish(self, location_id: str, values: Mapping[str, Any]) -> None:
        """Write what came of a read."""
        with self._into() as gathered:
            gathered.finished[location_id] = dict(values)

    def tell_origin(self, location_id: str) -> None:
        """Bring the Location entity that stands for a location in line with what has been written of it."""
        with self._into() as gathered:
            gathered.told.append(location_id)

    def write(self) -> None:
        """Write what is gathered so far."""
        gathered = self._gathered
        if gathered is not None:
            self._local.gathered = _Gathered()
            self._write(gathered)

    @property
    def _gathered(self) -> _Gathered | None:
        return getattr(self._local, "gathered", None)

    @contextmanager
    def _into(self) -> Iterator[_Gathered]:
        gathered = self._gathered
        if gathered is not None:
            yield gathered
            return
        alone = _Gathered()
        yield alone
        self._write(alone)

    def _write(self, gathered: _Gathered) -> None:
        self._store.files.put(gathered.files)
        self._store.files.forget(gathered.forgotten)
        self._store.locations.link(gathered.links)
        if gathered.groups and gathered.now is not None:
            added = {draft.ref for group, _ in gathered.groups for draft in group}
            writer = self._store.writer
            touched = writer.create(gathered.groups, actor=gathered.actor, now=gathered.now)
            writer.defer(touched - added)
            self._store.changed()
            self.forget()
        self._store.locations.finish_many(gathered.finished)
        for location_id in gathered.told:
            self._store.locations.tell_origin(location_id)
