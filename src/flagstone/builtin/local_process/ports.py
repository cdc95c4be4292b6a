"""Which ports are whose."""

from __future__ import annotations

import threading
from collections.abc import Callable

from flagstone.kernel.errors import Unavailable


class PortBook:
    """Ports of a range; each deployment keeps its own, also while it is stopped."""

    def __init__(self, first: int, last: int) -> None:
        self._first, self._last = first, last
        self._lock = threading.Lock()
        self._owners: dict[int, str] = {}

    def reserve(self, port: int, owner: str) -> None:
        """Note that a port is kept for someone."""
        with self._lock:
            self._owners.setdefault(port, owner)

    def release(self, owner: str) -> None:
        """Forget what was kept for someone."""
        with self._lock:
            self._owners = {port: known for port, known in self._owners.items() if known != owner}

    def claim(self, wanted: int | None, owner: str, take: Callable[[int], bool]) -> int:
        """Take the wanted port, else the first one that is nobody's and that ``take`` gets. Raises Unavailable."""
        with self._lock:
            for port in ([wanted] if wanted is not None else []) + list(range(self._first, self._last + 1)):
                if self._owners.get(port, owner) != owner or not take(port):
                    continue
                self._owners[port] = owner
                return port
        raise Unavailable(
            "local.no_port",
            f"No port between {self._first} and {self._last} is free for the address of a workload.",
            hint="Remove deployments that are not needed, or widen the range of ports in the settings.",
        )
