"""A small memory of answers for a few seconds."""

from __future__ import annotations

import threading
import time
from typing import Generic, TypeVar

T = TypeVar("T")


class Cache(Generic[T]):
    """Key to value, forgotten after ``ttl`` seconds or when anything was changed. Thread-safe."""

    def __init__(self, ttl: float, size: int = 10_000) -> None:
        self._ttl = ttl
        self._size = size
        self._lock = threading.Lock()
        self._items: dict[str, tuple[float, T]] = {}
        self._generation = 0

    def get(self, key: str) -> T | None:
        """The value, unless it is unknown or old."""
        found = self._items.get(key)
        return found[1] if found is not None and found[0] > time.monotonic() else None

    @property
    def generation(self) -> int:
        """Changes with every :meth:`clear`: take it before reading, hand it to :meth:`put`."""
        return self._generation

    def put(self, key: str, value: T, generation: int) -> None:
        """Remember a value, unless something was cleared since it was read."""
        with self._lock:
            if generation != self._generation:
                return
            if len(self._items) >= self._size:
                self._items.clear()
            self._items[key] = (time.monotonic() + self._ttl, value)

    def clear(self) -> None:
        """Forget everything: changes are rare, being wrong is worse than being slow once."""
        with self._lock:
            self._generation += 1
            self._items.clear()
