"""Locations that one reader has to itself: from other threads by a lock, from other servers by a lease.

Both only save work. What keeps the catalog right is that a write is refused when the location was read by another
since.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Self
from weakref import WeakValueDictionary

from flagstone.portal.catalog.store.leases import Leases


class Locks:
    """Readers of one location in this process queue up; other processes are met in the database."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._guard = threading.Lock()

    def of(self, location_id: str) -> threading.Lock:
        """The lock of a location."""
        with self._guard:
            return self._locks.setdefault(location_id, threading.Lock())


class Holding:
    """The locations that the reader of many holds: some are taken while others are let go, at the end all."""

    def __init__(self, locks: Locks, leases: Leases) -> None:
        self._locks = locks
        self._leases = leases
        self._held: dict[str, threading.Lock] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.let_go(list(self._held))

    def take(self, location_ids: Iterable[str]) -> list[str]:
        """Take locations. Returns those that nobody else reads now, in the same order."""
        ids = list(dict.fromkeys(location_ids))
        taken: dict[str, threading.Lock] = {}
        for id_ in ids:
            lock = self._locks.of(id_)
            if lock.acquire(blocking=False):
                taken[id_] = lock
        leased: set[str] = set()
        try:
            leased = self._leases.take(taken)
        finally:
            for id_, lock in taken.items():
                if id_ in leased:
                    self._held[id_] = lock
                else:
                    lock.release()
        return [id_ for id_ in ids if id_ in leased]

    def let_go(self, location_ids: Iterable[str]) -> None:
        """Let others read some of them."""
        locks = {id_: self._held.pop(id_) for id_ in location_ids if id_ in self._held}
        try:
            self._leases.give_back(locks)
        finally:
            for lock in locks.values():
                lock.release()
