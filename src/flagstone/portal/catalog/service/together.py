"""What small locations add, gathered until the end of their common transaction and written at once.

One piece of a thousand entities costs far less than many small ones: fewer statements, and pages of indices that are
written once. Whoever is about to read what may lie here writes it down first (:meth:`Together.write`).
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from flagstone.portal.catalog.model.draft import Draft
from flagstone.portal.catalog.store import CatalogStore
from flagstone.portal.catalog.store.files import FileRecord


class Together:
    """Entities and files that the current thread has gathered. Without :meth:`gathering` all is written at once."""

    def __init__(self, store: CatalogStore) -> None:
        self._store = store
        self._local = threading.local()

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Gather until the end of this block, which must lie in a transaction; an exception forgets it all."""
        self._local.gathered = _Gathered()
        try:
            yield
            self.write()
        finally:
            self._local.gathered = None

    def create(self, drafts: Sequence[Draft], location_id: str, *, actor: str, now: datetime) -> None:
        """Add entities with documents, search rows and relations. None of them may be there."""
        gathered = self._gathered()
        gathered.groups.append((drafts, location_id))
        gathered.refs.update(draft.ref for draft in drafts)
        gathered.actor, gathered.now = actor, now
        if gathered.alone:
            self._write(gathered)

    def put_files(self, location_id: str, records: Sequence[FileRecord]) -> None:
        """Remember files."""
        gathered = self._gathered()
        gathered.files += ((location_id, record) for record in records)
        if gathered.alone:
            self._write(gathered)

    def holds(self, refs: Collection[str]) -> bool:
        """Whether an entity of such a ref waits to be written."""
        return not self._gathered().refs.isdisjoint(refs)

    def write(self) -> None:
        """Write what is gathered so far."""
        gathered = self._gathered()
        if not gathered.alone:
            self._local.gathered = _Gathered()
        self._write(gathered)

    def _gathered(self) -> _Gathered:
        found: _Gathered | None = getattr(self._local, "gathered", None)
        return _Gathered(alone=True) if found is None else found

    def _write(self, gathered: _Gathered) -> None:
        if gathered.files:
            self._store.files.put_many(gathered.files)
        if gathered.groups and gathered.now is not None:
            added = {draft.ref for group, _ in gathered.groups for draft in group}
            writer = self._store.writer
            touched = writer.create(gathered.groups, actor=gathered.actor, now=gathered.now)
            writer.defer(touched - added)
            self._store.changed()


class _Gathered:
    def __init__(self, *, alone: bool = False) -> None:
        self.alone = alone
        self.groups: list[tuple[Sequence[Draft], str]] = []
        self.refs: set[str] = set()
        self.files: list[tuple[str, FileRecord]] = []
        self.actor = ""
        self.now: datetime | None = None
