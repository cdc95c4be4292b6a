"""INSERT … ON CONFLICT for both dialects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

Rows = Mapping[str, Any] | Sequence[Mapping[str, Any]]


def _insert(dialect: str, table: Table) -> Any:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


@lru_cache(maxsize=500)
def _upsert(dialect: str, table: Table, key: tuple[str, ...], update: tuple[str, ...]) -> Any:
    """Building such a statement costs more than executing it, so each is built once."""
    statement = _insert(dialect, table)
    return statement.on_conflict_do_update(
        index_elements=list(key), set_={name: statement.excluded[name] for name in update}
    )


@lru_cache(maxsize=500)
def _ignore(dialect: str, table: Table, key: tuple[str, ...]) -> Any:
    return _insert(dialect, table).on_conflict_do_nothing(index_elements=list(key))


def upsert(conn: Connection, table: Table, rows: Rows, *, key: Sequence[str], update: Sequence[str]) -> int:
    """Insert rows; where ``key`` exists already, set the columns ``update`` from the new row. Returns the row count."""
    statement = _upsert(conn.dialect.name, table, tuple(key), tuple(update))
    return int(conn.execute(statement, rows, execution_options={"preserve_rowcount": True}).rowcount)


def insert_ignore(conn: Connection, table: Table, rows: Rows, *, key: Sequence[str]) -> int:
    """Insert rows; those whose ``key`` exists already are left alone. Returns how many were new (1 row: exact)."""
    statement = _ignore(conn.dialect.name, table, tuple(key))
    return int(conn.execute(statement, rows, execution_options={"preserve_rowcount": True}).rowcount)
