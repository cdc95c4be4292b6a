"""A name that one process at a time may have over one database, for as long as it lives.

The claim is a lock of the kernel on SQLite and of the server on PostgreSQL: it ends with its process, however that
ends, without a clock. Not for work that is handed from process to process: that needs a fence.
"""

from __future__ import annotations

import fcntl
import logging
import threading
import time
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from flagstone.toolkit.db.database import Database

log = logging.getLogger("flagstone.db")

_LOCK = 7_070_072
_PAUSE = 0.1


class NameClaim:
    """Not taken before :meth:`take`. On SQLite it is a file ``<database>.<name>.lock`` beside the database."""

    def __init__(self, db: Database, name: str) -> None:
        self._db = db
        self.name = name
        self._guard = threading.Lock()
        self._file: IO[str] | None = None
        self._conn: Connection | None = None

    def take(self, wait: float = 0) -> bool:
        """Take the name; ``wait``: seconds for one who is about to let go. False when another process keeps it."""
        until = time.monotonic() + wait
        while not self._try():
            if time.monotonic() >= until:
                return False
            time.sleep(_PAUSE)
        return True

    def renew(self) -> bool:
        """Whether the name is still this process's; a claim that went with its connection is taken anew."""
        with self._guard:
            if self._conn is None:
                return self._file is not None
            try:
                self._conn.execute(text("SELECT 1"))
                return True
            except DBAPIError:
                self._drop()
        return self._try()

    def release(self) -> None:
        """Let others have it; harmless when it was not taken."""
        with self._guard:
            if self._file is not None:
                self._file.close()
                self._file = None
            self._drop()

    def _drop(self) -> None:
        if self._conn is not None:
            # Detached from the pool: closing it ends the session, and with it the lock.
            self._conn.close()
            self._conn = None

    def _try(self) -> bool:
        with self._guard:
            if self._file is not None or self._conn is not None:
                return True
            return self._lock_file() if self._db.is_sqlite else self._lock_session()

    def _lock_file(self) -> bool:
        database = self._db.url.database
        if not database or database == ":memory:":
            return True
        handle = Path(f"{database}.{self.name}.lock").open("a+", encoding="utf-8")  # noqa: SIM115  kept open on purpose
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            return False
        self._file = handle
        return True

    def _lock_session(self) -> bool:
        conn = self._db.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        conn.detach()
        wanted = text(f"SELECT pg_try_advisory_lock({_LOCK}, hashtext(current_schema() || :name))")
        try:
            taken = bool(conn.execute(wanted, {"name": f".{self.name}"}).scalar_one())
        except BaseException:
            conn.close()
            raise
        if not taken:
            conn.close()
            return False
        self._conn = conn
        return True
