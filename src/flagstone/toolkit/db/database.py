"""A database: an engine, and transactions that nest."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy.orm  # noqa: F401  see below
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.pool import QueuePool

from flagstone.kernel.errors import Invalid, Unavailable

# The engine imports DBOS, and with it sqlalchemy.orm, in a background thread. While that is half imported, building a
# query in another thread fails inside SQLAlchemy; so it is imported here, before there are threads.

_BUSY_MS = 15_000
_SQLITE_KEPT = 6
_IDLE_SECONDS = 30.0
"""A connection to PostgreSQL that has not been used for so long is asked whether it is still there."""


@dataclass(slots=True)
class _Hooks:
    before_commit: list[Callable[[Connection], None]] = field(default_factory=list)
    after_commit: list[Callable[[], None]] = field(default_factory=list)
    after_rollback: list[Callable[[], None]] = field(default_factory=list)


class Database:
    """One logical database. ``url`` is a SQLAlchemy URL; ``schema`` is used on PostgreSQL only."""

    def __init__(self, url: str, *, schema: str | None = None, pool_size: int = 16) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if not self.is_sqlite and self.url.get_backend_name() != "postgresql":
            raise Invalid(
                "db.unknown_backend",
                f"The database URL starts with {self.url.drivername!r}.",
                hint="Use sqlite:///… or postgresql://….",
            )
        self.schema = None if self.is_sqlite else schema
        if not self.is_sqlite and self.url.drivername == "postgresql":
            self.url = self.url.set(drivername="postgresql+psycopg")
        self._local = threading.local()
        # SQLite has one writer: queueing here is fair and cheap, busy-waiting in SQLite is neither.
        self._writer = threading.Lock() if self.is_sqlite else None
        self.engine = self._engine(pool_size)
        # What is read needs no transaction around it on PostgreSQL: beginning and ending one are two more round trips.
        self._reading = self.engine if self.is_sqlite else self._engine(pool_size, isolation_level="AUTOCOMMIT")

    def _engine(self, pool_size: int, **more: Any) -> Engine:
        # The connection that was used last is used next: what it remembers is the warmest, and others may be closed.
        options: dict[str, Any] = {"poolclass": QueuePool, "pool_use_lifo": True}
        # Each connection to SQLite keeps pages of its own and is opened at once, so only some outlive a busy moment.
        kept = min(pool_size, _SQLITE_KEPT) if self.is_sqlite else pool_size
        options |= {"pool_size": kept, "max_overflow": 3 * pool_size - kept, **more}
        if self.is_sqlite:
            if self.url.database:
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            options["connect_args"] = {"check_same_thread": False, "timeout": _BUSY_MS / 1000}
        engine = create_engine(self.url, **options)
        event.listen(engine, "connect", self._on_connect)
        if self.is_sqlite:
            event.listen(engine, "begin", self._on_begin)
        else:
            event.listen(engine, "checkin", _on_checkin)
            event.listen(engine, "checkout", _on_checkout)
        return engine

    def _on_connect(self, connection: Any, _record: Any) -> None:
        if not self.is_sqlite:
            if self.schema:
                with connection.cursor() as cursor:
                    cursor.execute(f'SET search_path TO "{self.schema}"')
                if not connection.autocommit:
                    connection.commit()
            return
        connection.isolation_level = None  # the driver must not begin by itself; _on_begin does
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            f"busy_timeout={_BUSY_MS}",
            # For each connection: what it does not hold, the operating system does, once for all of them.
            "cache_size=-2000",
            "temp_store=MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")

    def _on_begin(self, conn: Connection) -> None:
        # IMMEDIATE takes the write lock at once: a deferred one that upgrades later can fail in the middle.
        writing = conn.get_execution_options().get("flagstone_write", False)
        conn.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading. Inside :meth:`write` it is that transaction, which sees its own changes."""
        current = getattr(self._local, "conn", None)
        if current is not None:
            yield current
            return
        shared = getattr(self._local, "snapshot", None)
        if shared is not None:
            try:
                yield shared
            except BaseException:
                # PostgreSQL answers nothing more in a transaction in which a statement has failed.
                shared.rollback()
                raise
            return
        with self._connect(self._reading) as conn:
            yield conn

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Every :meth:`read` of this thread inside shares one connection: cheaper, and on SQLite of one moment.

        For a page that asks much and changes nothing; what a :meth:`write` inside changed is seen by later reads.
        """
        if getattr(self._local, "conn", None) is not None or getattr(self._local, "snapshot", None) is not None:
            yield
            return
        with self._connect(self._reading) as conn:
            self._local.snapshot = conn
            try:
                yield
            finally:
                self._local.snapshot = None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction, committed at the end or rolled back by an exception. Nested calls of a thread join it."""
        current = getattr(self._local, "conn", None)
        if current is not None:
            yield current
            return
        shared = getattr(self._local, "snapshot", None)
        if shared is not None:
            shared.rollback()
        if self._writer is not None:
            self._writer.acquire()
        hooks = _Hooks()
        try:
            with self._connect(self.engine) as raw:
                conn = raw.execution_options(flagstone_write=True)
                with conn.begin():
                    self._local.conn = conn
                    self._local.hooks = hooks
                    try:
                        yield conn
                        for last in hooks.before_commit:
                            last(conn)
                    finally:
                        self._local.conn = None
                        self._local.hooks = None
        except BaseException:
            hooks.after_commit = hooks.after_rollback
            raise
        finally:
            if self._writer is not None:
                self._writer.release()
            if shared is not None:
                # What was read of it meanwhile, by whoever, is of before.
                shared.rollback()
            for call in hooks.after_commit:
                call()

    def after_commit(self, call: Any) -> None:
        """Run ``call`` when the current transaction has been committed; at once when there is none."""
        hooks = getattr(self._local, "hooks", None)
        if hooks is None:
            call()
        else:
            hooks.after_commit.append(call)

    def before_commit(self, call: Callable[[Connection], None]) -> None:
        """Run ``call`` as the last thing of the current transaction; in one of its own when there is none.

        For appending to logs: what they lock is then held only for the commit.
        """
        with self.write():
            self._local.hooks.before_commit.append(call)

    def after_rollback(self, call: Callable[[], None]) -> None:
        """Run ``call`` should the current transaction fail: for what must be kept although the change is not."""
        hooks = getattr(self._local, "hooks", None)
        if hooks is not None:
            hooks.after_rollback.append(call)

    @contextmanager
    def _connect(self, engine: Engine) -> Iterator[Connection]:
        try:
            conn = engine.connect()
        except OperationalError as error:
            raise Unavailable(
                "db.unreachable",
                f"The database {self.url.render_as_string(hide_password=True)} cannot be reached: {error.orig}.",
                hint="Check that it runs and that the URL and the password are right.",
                retry_after=5,
            ) from error
        with conn:
            yield conn

    def ping(self) -> None:
        """Raise Unavailable unless a query is answered."""
        with self.read() as conn:
            conn.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()
        self._reading.dispose()


def _on_checkin(_connection: Any, record: Any) -> None:
    record.info["returned"] = time.monotonic()


def _on_checkout(connection: Any, record: Any, _proxy: Any) -> None:
    """Have the pool open another connection where this one has been ended.

    Asking the server each time would be a round trip for each statement. That it has hung up can be seen here; only
    after a while without use it is asked, for what lies between may have forgotten the connection without a word.
    """
    returned = record.info.get("returned")
    if returned is None:
        return
    try:
        if _readable(connection.fileno()) or time.monotonic() - returned > _IDLE_SECONDS:
            connection.execute("SELECT 1")
            if not connection.autocommit:
                connection.rollback()
    except (OSError, _driver_error()) as error:
        raise DisconnectionError from error


def _readable(descriptor: int) -> bool:
    """Whether something lies there to be read: of a connection that waits for nothing, the end of it."""
    if descriptor < 0:
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))


@cache
def _driver_error() -> type[Exception]:
    """What the driver raises of a connection; imported only where there is PostgreSQL."""
    import psycopg

    return psycopg.Error
