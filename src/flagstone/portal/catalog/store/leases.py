"""Who reads a location now, among several servers on one PostgreSQL.

Advisory locks of a session: they end with the connection, so a server that is killed holds nothing back, and no clock
is asked. They only save work: what keeps the catalog right is that a write is refused when the location has been read
by another since. With SQLite there is one server, and nothing to agree about.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from flagstone.toolkit.db import PortalDatabase

_CLASS = 7_070_072
_KEY = "(:class, hashtext(current_schema() || id)) FROM unnest(CAST(:ids AS text[])) AS id"
_TAKE = text(f"SELECT id, pg_try_advisory_lock{_KEY}")
_GIVE_BACK = text(f"SELECT pg_advisory_unlock{_KEY}")


class Leases:
    """Leases of one process. Its threads must not ask for the same location at the same time."""

    def __init__(self, db: PortalDatabase) -> None:
        self._db = db
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._held: Counter[str] = Counter()
        """How often each was taken: a session has to give a lock back as often as it took it."""

    @contextmanager
    def hold(self, location_id: str) -> Iterator[bool]:
        """Hold the lease of a location; False when another server has it."""
        held = self.take([location_id])
        try:
            yield bool(held)
        finally:
            self.give_back(held)

    def take(self, location_ids: Collection[str]) -> set[str]:
        """Take the leases of locations. Returns those that no other server has; they have to be given back."""
        if self._db.is_sqlite or not location_ids:
            return set(location_ids)
        with self._lock:
            if self._connection is None:
                self._connection = self._db.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            try:
                answers = self._connection.execute(_TAKE, {"class": _CLASS, "ids": sorted(location_ids)}).all()
            except DBAPIError:
                self._drop()
                raise
            held = {str(id_) for id_, taken in answers if taken}
            self._held.update(held)
            if not self._held:
                self._end()
            return held

    def give_back(self, location_ids: Collection[str]) -> None:
        """Give leases back. Those that went with their connection are gone already."""
        if self._db.is_sqlite or not location_ids:
            return
        with self._lock:
            held = sorted(id_ for id_ in location_ids if self._held[id_] > 0)
            self._held -= Counter(dict.fromkeys(location_ids, 1))
            if self._connection is None:
                return
            try:
                self._connection.execute(_GIVE_BACK, {"class": _CLASS, "ids": held})
            except DBAPIError:
                self._drop()
                return
            if not self._held:
                self._end()

    def _end(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._held.clear()
        if connection is not None:
            connection.invalidate()  # the session ends, and with it whatever it still held
            connection.close()
