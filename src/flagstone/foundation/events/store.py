"""Tables of the outbox: events, readers' cursors, parked events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from flagstone.contracts.events import Event
from flagstone.foundation.events.model import ParkedEvent, ReaderState
from flagstone.toolkit.db import Database, JsonText, UtcDateTime, append_lock, insert_ignore, upsert

metadata = MetaData()

outbox = Table(
    "events_outbox",
    metadata,
    # AUTOINCREMENT: a cursor is never handed out again, even after the newest rows were pruned.
    Column("cursor", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("data", JsonText, nullable=False),
    Index("ix_events_outbox_at", "at"),
    sqlite_autoincrement=True,
)

readers = Table(
    "events_readers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("cursor", BigInteger, nullable=False),
    Column("foreign_source", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("retry_at", UtcDateTime),
    Column("updated_at", UtcDateTime, nullable=False),
)

parked = Table(
    "events_parked",
    metadata,
    Column("reader", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("event", JsonText, nullable=False),
    Column("error", Text, nullable=False),
    Column("parked_at", UtcDateTime, nullable=False),
)


class EventStore:
    """Reads and writes the outbox of one database."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def append(self, conn: Connection, row: dict[str, Any]) -> None:
        """Write one event as the last thing of a transaction."""
        append_lock(conn)
        conn.execute(insert(outbox), row)

    def read(self, after: int, limit: int) -> list[Event]:
        """Events after a cursor, oldest first."""
        query = select(outbox).where(outbox.c.cursor > after).order_by(outbox.c.cursor).limit(limit)
        with self.db.read() as conn:
            return [Event(**row) for row in conn.execute(query).mappings()]

    def last_cursor(self) -> int:
        """The newest cursor; 0 when there is none."""
        with self.db.read() as conn:
            return int(conn.execute(select(func.max(outbox.c.cursor))).scalar() or 0)

    def prune(self, older_than: datetime) -> int:
        """Delete old events that every reader has passed."""
        slowest = select(func.min(readers.c.cursor)).where(readers.c.foreign_source == 0).scalar_subquery()
        with self.db.write() as conn:
            done = conn.execute(
                delete(outbox).where(outbox.c.at < older_than, outbox.c.cursor <= func.coalesce(slowest, 2**62))
            )
            return int(done.rowcount)

    def reader_states(self) -> list[ReaderState]:
        """All readers by name."""
        with self.db.read() as conn:
            return [_state(row) for row in conn.execute(select(readers).order_by(readers.c.name)).mappings()]

    def reader_state(self, name: str) -> ReaderState | None:
        """One reader, if it exists."""
        with self.db.read() as conn:
            row = conn.execute(select(readers).where(readers.c.name == name)).mappings().first()
            return _state(row) if row else None

    def add_reader(self, name: str, cursor: int, now: datetime, *, foreign_source: bool) -> None:
        """Create a reader unless it exists."""
        row = {
            "name": name,
            "cursor": cursor,
            "foreign_source": int(foreign_source),
            "tries": 0,
            "error": "",
            "retry_at": None,
            "updated_at": now,
        }
        with self.db.write() as conn:
            insert_ignore(conn, readers, row, key=["name"])

    def delete_reader(self, name: str) -> bool:
        """Forget a reader and what it parked."""
        with self.db.write() as conn:
            conn.execute(delete(parked).where(parked.c.reader == name))
            return conn.execute(delete(readers).where(readers.c.name == name)).rowcount > 0

    def advance(self, name: str, cursor: int, now: datetime) -> None:
        """Move a reader on, never back: another process may have gone further."""
        with self.db.write() as conn:
            conn.execute(
                update(readers)
                .where(readers.c.name == name, readers.c.cursor < cursor)
                .values(cursor=cursor, tries=0, error="", retry_at=None, updated_at=now)
            )

    def failed(self, name: str, cursor: int, error: str, now: datetime, retry_at: datetime) -> int:
        """Count a failure on the event after ``cursor``; returns how many there were."""
        with self.db.write() as conn:
            conn.execute(
                update(readers)
                .where(readers.c.name == name, readers.c.cursor == cursor)
                .values(tries=readers.c.tries + 1, error=error, retry_at=retry_at, updated_at=now)
            )
            return int(conn.execute(select(readers.c.tries).where(readers.c.name == name)).scalar() or 0)

    def park(self, name: str, event: Event, error: str, now: datetime) -> None:
        """Set an event aside and move its reader past it."""
        row = {
            "reader": name,
            "event_id": event.id,
            "event": event.model_dump(mode="json"),
            "error": error,
            "parked_at": now,
        }
        with self.db.write() as conn:
            upsert(conn, parked, row, key=["reader", "event_id"], update=["event", "error", "parked_at"])
            self.advance(name, event.cursor, now)

    def parked(self, reader: str | None, limit: int) -> Sequence[ParkedEvent]:
        """Parked events, newest first."""
        query = select(parked).order_by(parked.c.parked_at.desc(), parked.c.event_id.desc()).limit(limit)
        if reader is not None:
            query = query.where(parked.c.reader == reader)
        with self.db.read() as conn:
            return [
                ParkedEvent(row["reader"], Event(**row["event"]), row["error"], row["parked_at"])
                for row in conn.execute(query).mappings()
            ]

    def unpark(self, reader: str, event_id: str) -> None:
        """Remove a parked event: it has been dealt with."""
        with self.db.write() as conn:
            conn.execute(delete(parked).where(parked.c.reader == reader, parked.c.event_id == event_id))


def _state(row: Any) -> ReaderState:
    return ReaderState(row["name"], row["cursor"], row["tries"], row["error"], row["retry_at"], row["updated_at"])
