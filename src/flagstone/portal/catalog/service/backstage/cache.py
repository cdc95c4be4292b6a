"""A small memory for one revision of the catalog. Bounded by bytes; forgets everything when the catalog changes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_ENTRY = 500
"""What an entry costs beside its value, roughly."""


class RevisionCache(Generic[V]):
    """Values by key, the oldest going first. Safe for many threads."""

    def __init__(self, max_bytes: int, *, entry: int = _ENTRY) -> None:
        self._max = max_bytes
        self._entry = entry
        self._bytes = 0
        self._revision = -1
        self._values: OrderedDict[object, tuple[V, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, revision: int, key: object) -> V | None:
        """What was put under this revision, or None."""
        if revision != self._revision:
            return None
        found = self._values.get(key)
        return None if found is None else found[0]

    def get_many(self, revision: int, keys: Iterable[K]) -> dict[K, V]:
        """Those of many that were put under this revision."""
        if revision != self._revision:
            return {}
        known = self._values.get
        return {key: found[0] for key in keys if (found := known(key)) is not None}

    def put(self, revision: int, key: object, value: V, size: int) -> None:
        """Remember a value that was read after ``revision`` was. Too large ones are not kept."""
        self.put_many(revision, ((key, value, size),))

    def put_many(self, revision: int, items: Iterable[tuple[object, V, int]]) -> None:
        """The same for many: key, value and size of each."""
        with self._lock:
            if revision != self._revision:
                if revision < self._revision:
                    return
                self._values.clear()
                self._bytes, self._revision = 0, revision
            for key, value, own in items:
                size = own + self._entry
                if size > self._max // 8:
                    continue
                known = self._values.pop(key, None)
                if known is not None:
                    self._bytes -= known[1]
                self._values[key] = (value, size)
                self._bytes += size
            while self._bytes > self._max:
                _, (_, freed) = self._values.popitem(last=False)
                self._bytes -= freed
