"""INSERT … ON CONFLICT for both dialects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

Rows = Mapping[str, Any] | Sequence[Mapping[str, Any]]


def _insert(conn: Connection, table: Table) -> Any:
    return postgresql.insert(table) if conn.dialect.name == "postgresql" else sqlite.insert(table)


def upsert(conn: Connection, table: Table, rows: Rows, *, key: Sequence[str], update: Sequence[str]) -> int:
    """Insert rows; where ``key`` exists already, set the columns ``update`` from the new row. Returns the row count."""
    statement = _insert(conn, table)
    statement = statement.on_conflict_do_update(
        index_elements=list(key), set_={name: statement.excluded[name] for name in update}
    )
    return int(conn.execute(statement, rows, execution_options={"preserve_rowcount": True}).rowcount)


def insert_ignore(conn: Connection, table: Table, rows: Rows, *, key: Sequence[str]) -> int:
    """Insert rows; those whose ``key`` exists already are left alone. Returns how many were new (1 row: exact)."""
    statement = _insert(conn, table).on_conflict_do_nothing(index_elements=list(key))
    return int(conn.execute(statement, rows, execution_options={"preserve_rowcount": True}).rowcount)
