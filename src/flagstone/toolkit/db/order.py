"""Appending to a log in an order that readers can trust."""

from __future__ import annotations

from sqlalchemy import Connection, text

_LOCK = 7_070_071


def append_lock(conn: Connection) -> None:
    """Make the rest of this transaction the only one that appends to logs in its schema, until it ends.

    A PostgreSQL sequence hands out numbers when they are asked for, but rows become visible when their transaction
    commits: number 6 can be seen before number 5, and a reader that has gone on to 6 never sees 5. Under this lock,
    numbers are handed out and committed in the same order. SQLite has one writer anyway.

    Take it last (``Database.before_commit``): it is one lock for all logs of a schema, so that nothing else is ever
    waited for while it is held.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK}, hashtext(current_schema()))"))
