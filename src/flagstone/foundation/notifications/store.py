"""The table of deliveries. What is told in the portal is a delivery, too: one that has arrived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    delete,
    func,
    select,
    update,
)

from flagstone.foundation.notifications.model import Body, Delivery, Kind, State
from flagstone.toolkit.db import Database, JsonText, UtcDateTime, insert_ignore

metadata = MetaData()

deliveries = Table(
    "notifications_deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("body", JsonText, nullable=False),
    Column("state", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("read_at", UtcDateTime),
    Index("notifications_deliveries_key", "key", unique=True),
    Index("notifications_deliveries_due", "state", "next_at"),
    Index("notifications_deliveries_recipient", "kind", "recipient", "id"),
    Index("notifications_deliveries_created", "created_at"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters of a list. Without ``kind``: everything that leaves the house."""

    state: State | None = None
    channel: str | None = None
    kind: Kind | None = None
    recipient: str | None = None
    unread: bool = False


class NotificationStore:
    """Methods that change something join the current transaction."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def add(self, made: Sequence[tuple[str, Delivery]]) -> int:
        """Store new deliveries by their keys; those with a known key are left out. Returns how many are new."""
        if not made:
            return 0
        rows = [{**_row(delivery), "key": key} for key, delivery in made]
        with self.db.write() as conn:
            return sum(insert_ignore(conn, deliveries, row, key=["key"]) for row in rows)

    def get(self, delivery_id: str) -> Delivery | None:
        """One delivery."""
        with self.db.read() as conn:
            row = conn.execute(select(deliveries).where(deliveries.c.id == delivery_id)).mappings().first()
        return _delivery(row) if row is not None else None

    def due(self, now: datetime, limit: int) -> list[Delivery]:
        """What is to be sent now, longest due first."""
        where = (deliveries.c.state == "pending", deliveries.c.next_at <= now)
        with self.db.read() as conn:
            found = conn.execute(select(deliveries).where(*where).order_by(deliveries.c.next_at).limit(limit))
            return [_delivery(row) for row in found.mappings()]

    def next_due(self) -> datetime | None:
        """When the next one is due."""
        with self.db.read() as conn:
            return conn.execute(
                select(deliveries.c.next_at)
                .where(deliveries.c.state == "pending")
                .order_by(deliveries.c.next_at)
                .limit(1)
            ).scalar()

    def claim(self, delivery: Delivery, until: datetime) -> bool:
        """Count a try; False when another process was faster. After ``until`` it is due again."""
        where = (deliveries.c.id == delivery.id, deliveries.c.state == "pending", deliveries.c.tries == delivery.tries)
        with self.db.write() as conn:
            changed = update(deliveries).where(*where).values(tries=delivery.tries + 1, next_at=until)
            return bool(conn.execute(changed).rowcount)

    def settle(self, delivery_id: str, state: State, error: str, at: datetime) -> None:
        """How a try ended; for ``pending`` ``at`` is when the next one is due."""
        values: dict[str, Any] = {"state": state, "error": error}
        values |= {"next_at": at} if state == "pending" else {"ended_at": at}
        with self.db.write() as conn:
            conn.execute(
                update(deliveries)
                .where(deliveries.c.id == delivery_id, deliveries.c.state == "pending")
                .values(**values)
            )

    def revive(self, delivery_id: str, now: datetime) -> bool:
        """Begin again with a dead one; False when it is not dead."""
        where = (deliveries.c.id == delivery_id, deliveries.c.state == "dead")
        with self.db.write() as conn:
            changed = update(deliveries).where(*where).values(state="pending", tries=0, next_at=now, ended_at=None)
            return bool(conn.execute(changed).rowcount)

    def page(self, wanted: Wanted, before: str | None, limit: int) -> list[Delivery]:
        """Newest first."""
        where = _where(wanted)
        if before is not None:
            where.append(deliveries.c.id < before)
        with self.db.read() as conn:
            found = conn.execute(select(deliveries).where(*where).order_by(deliveries.c.id.desc()).limit(limit))
            return [_delivery(row) for row in found.mappings()]

    def count(self, wanted: Wanted) -> int:
        """How many there are."""
        with self.db.read() as conn:
            return int(conn.execute(select(func.count()).select_from(deliveries).where(*_where(wanted))).scalar_one())

    def mark_read(self, recipient: str, at: datetime) -> int:
        """Everything that somebody was told in the portal; returns how many were unread."""
        where = _where(Wanted(kind="portal", recipient=recipient, unread=True))
        with self.db.write() as conn:
            return conn.execute(update(deliveries).where(*where).values(read_at=at)).rowcount

    def prune(self, older_than: datetime) -> int:
        """Delete what has ended long ago; returns how many."""
        where = (deliveries.c.created_at < older_than, deliveries.c.state != "pending")
        with self.db.write() as conn:
            return conn.execute(delete(deliveries).where(*where)).rowcount


def _where(wanted: Wanted) -> list[ColumnElement[bool]]:
    where = [deliveries.c.kind == wanted.kind if wanted.kind else deliveries.c.kind != "portal"]
    if wanted.state is not None:
        where.append(deliveries.c.state == wanted.state)
    if wanted.channel is not None:
        where.append(deliveries.c.channel == wanted.channel)
    if wanted.recipient is not None:
        where.append(deliveries.c.recipient == wanted.recipient)
    if wanted.unread:
        where.append(deliveries.c.read_at.is_(None))
    return where


_SAME = ("id", "kind", "channel", "recipient", "topic", "state", "tries", "error")
_TIMES = ("created_at", "next_at", "ended_at", "read_at")


def _row(delivery: Delivery) -> dict[str, Any]:
    return {**{name: getattr(delivery, name) for name in (*_SAME, *_TIMES)}, "body": delivery.body.as_json()}


def _delivery(row: Mapping[Any, Any]) -> Delivery:
    return Delivery(**{name: row[name] for name in (*_SAME, *_TIMES)}, body=Body.of_json(row["body"]))
