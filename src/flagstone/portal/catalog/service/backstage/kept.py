"""Documents that were read before, for a database that is a round trip away. Kept for one revision of the catalog."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from flagstone.portal.catalog.service.backstage.cache import RevisionCache
from flagstone.portal.catalog.store.backstage import BackstageReader

_BYTES = 20_000_000
_ENTRY = 250
"""What a document takes beside its text: its place in the memory, and its ref."""


class KeptDocuments:
    """Documents by ref in lower case; on SQLite nothing is kept, for asking costs next to nothing there."""

    def __init__(self, reader: BackstageReader) -> None:
        self._reader = reader
        self._cache: RevisionCache[str] = RevisionCache(_BYTES, entry=_ENTRY)

    def one(self, ref: str) -> str | None:
        """The document of a ref."""
        if not self._reader.far:
            return self._reader.body_of_ref(ref)
        return self.many([ref]).get(ref)

    def many(self, refs: Sequence[str]) -> dict[str, str]:
        """Those that are there, all as they were at one moment."""
        if not self._reader.far:
            return self._reader.bodies(refs)
        revision = self._reader.revision()
        found = self._cache.get_many(revision, refs)
        if len(found) < len(refs):
            seen, more = self._read([ref for ref in refs if ref not in found])
            # Between the two somebody may have changed the catalog: what was kept is then of before, the rest of after.
            found = found | more if seen == revision or not found else self._read(refs)[1]
        return found

    def of(self, refs: Sequence[str], revision: int) -> list[str] | None:
        """The documents of all of some refs as they are at a revision, in order; None when that is past."""
        found = self._cache.get_many(revision, refs)
        if len(found) < len(refs):
            seen, more = self._read([ref for ref in refs if ref not in found])
            if seen != revision:
                return None
            found |= more
        return [found[ref] for ref in refs] if len(found) == len(refs) else None

    def _read(self, refs: Sequence[str]) -> tuple[int, dict[str, str]]:
        revision, found = self._reader.bodies_now(refs)
        self._cache.put_many(revision, ((ref, body, sys.getsizeof(body)) for ref, body in found.items()))
        return revision, found
