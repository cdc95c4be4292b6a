"""A small memory for one revision of the catalog. Bounded by bytes; forgets everything when the catalog changes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

V = TypeVar("V")

_ENTRY = 500
"""What an entry costs beside its value, roughly."""


class RevisionCache(Generic[V]):
    """Values by key, the oldest going first. Safe for many threads."""

    def __init__(self, max_bytes: int) -> None:
        self._max = max_bytes
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

    def put(self, revision: int, key: object, value: V, size: int) -> None:
        """Remember a value that was read after ``revision`` was. Too large ones are not kept."""
        size += _ENTRY
        if size > self._max // 8:
            return
        with self._lock:
            if revision != self._revision:
                if revision < self._revision:
                    return
                self._values.clear()
                self._bytes, self._revision = 0, revision
            known = self._values.pop(key, None)
            if known is not None:
                self._bytes -= known[1]
            self._values[key] = (value, size)
            self._bytes += size
            while self._bytes > self._max:
                _, (_, freed) = self._values.popitem(last=False)
                self._bytes -= freed
