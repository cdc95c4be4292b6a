"""Who reads a location now, among several servers on one PostgreSQL.

Advisory locks of a session: they end with the connection, so a server that is killed holds nothing back, and no clock
is asked. They only save work: what keeps the catalog right is that a write is refused when the location has been read
by another since. With SQLite there is one server, and nothing to agree about.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from flagstone.toolkit.db import PortalDatabase

_CLASS = 7_070_072
_KEY = "SELECT {call}(:class, hashtext(current_schema() || :id))"


class Leases:
    """Leases of one process. Its threads must not ask for the same location at the same time."""

    def __init__(self, db: PortalDatabase) -> None:
        self._db = db
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._held: set[str] = set()

    @contextmanager
    def hold(self, location_id: str) -> Iterator[bool]:
        """Hold the lease of a location; False when another server has it."""
        if self._db.is_sqlite:
            yield True
            return
        held = self._acquire(location_id)
        try:
            yield held
        finally:
            if held:
                self._release(location_id)

    def _acquire(self, location_id: str) -> bool:
        with self._lock:
            if self._connection is None:
                self._connection = self._db.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            statement = text(_KEY.format(call="pg_try_advisory_lock"))
            try:
                held = bool(self._connection.execute(statement, {"class": _CLASS, "id": location_id}).scalar())
            except DBAPIError:
                self._drop()
                raise
            if held:
                self._held.add(location_id)
            elif not self._held:
                self._give_back()
            return held

    def _release(self, location_id: str) -> None:
        with self._lock:
            self._held.discard(location_id)
            if self._connection is None:
                return
            try:
                statement = text(_KEY.format(call="pg_advisory_unlock"))
                self._connection.execute(statement, {"class": _CLASS, "id": location_id})
            except DBAPIError:
                self._drop()
                return
            if not self._held:
                self._give_back()

    def _give_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._held.clear()
        if connection is not None:
            connection.invalidate()  # the session ends, and with it whatever it still held
            connection.close()
