"""The table of the audit log. There is no update and no delete here on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, MetaData, Table, Text, insert, or_, select

from flagstone.foundation.audit.model import GENESIS, AuditHead, AuditQuery, AuditRow
from flagstone.toolkit.db import Database, JsonText, UtcDateTime, append_lock

metadata = MetaData()

rows = Table(
    "audit_rows",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor_id", Text, nullable=False),
    Column("actor_name", Text, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("detail", JsonText, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("ix_audit_rows_at", "at"),
    Index("ix_audit_rows_actor", "actor_id", "seq"),
    Index("ix_audit_rows_action", "action", "seq"),
    Index("ix_audit_rows_resource", "resource", "seq"),
    Index("ix_audit_rows_outcome", "outcome", "seq"),
)


class AuditStore:
    """Appends to and reads the log of one database."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def append(self, conn: Connection, values: dict[str, Any]) -> None:
        """Chain and write a row, as the last thing of a transaction."""
        append_lock(conn)
        last = self._head(conn)
        row = AuditRow(seq=last.seq + 1, prev_hash=last.hash, **values)
        conn.execute(insert(rows), values | {"seq": row.seq, "prev_hash": row.prev_hash, "hash": row.digest()})

    def head(self) -> AuditHead:
        """The newest row."""
        with self.db.read() as conn:
            return self._head(conn)

    def page(self, query: AuditQuery, before: int | None, limit: int) -> list[AuditRow]:
        """Rows that match, newest first, with ``seq`` below ``before``."""
        statement = select(rows).order_by(rows.c.seq.desc()).limit(limit)
        if before is not None:
            statement = statement.where(rows.c.seq < before)
        for condition in _conditions(query):
            statement = statement.where(condition)
        with self.db.read() as conn:
            return [AuditRow(**row) for row in conn.execute(statement).mappings()]

    def walk(self, size: int = 1000) -> Iterator[AuditRow]:
        """All rows, oldest first, a chunk at a time."""
        after = -(2**62)
        while True:
            statement = select(rows).where(rows.c.seq > after).order_by(rows.c.seq).limit(size)
            with self.db.read() as conn:
                chunk = [AuditRow(**row) for row in conn.execute(statement).mappings()]
            if not chunk:
                return
            yield from chunk
            after = chunk[-1].seq

    @staticmethod
    def _head(conn: Connection) -> AuditHead:
        last = conn.execute(select(rows.c.seq, rows.c.hash).order_by(rows.c.seq.desc()).limit(1)).first()
        return AuditHead(last.seq, last.hash) if last else AuditHead(0, GENESIS)


def _conditions(query: AuditQuery) -> list[Any]:
    found: list[Any] = []
    if query.actor:
        found.append(or_(rows.c.actor_id == query.actor, rows.c.actor_name.icontains(query.actor, autoescape=True)))
    if query.action:
        found.append(or_(rows.c.action == query.action, rows.c.action.startswith(query.action + ".", autoescape=True)))
    if query.resource:
        found.append(rows.c.resource == query.resource)
    if query.outcome:
        found.append(rows.c.outcome == query.outcome)
    found += _period(query.since, query.until)
    return found


def _period(since: datetime | None, until: datetime | None) -> list[Any]:
    found: list[Any] = []
    if since is not None:
        found.append(rows.c.at >= since)
    if until is not None:
        found.append(rows.c.at < until)
    return found
