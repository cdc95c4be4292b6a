"""Many rows at once, in the quickest way that each database has. For columns of text and numbers only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Table

_TOGETHER = 200


def insert_rows(conn: Connection, table: Table, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """Insert tuples in the order of ``columns``."""
    names = ", ".join(f'"{name}"' for name in columns)
    if conn.dialect.name == "postgresql":
        driver: Any = conn.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row(row)
        return
    marks = f"({', '.join('?' * len(columns))})"
    statement = f'INSERT INTO "{table.name}" ({names}) VALUES '  # noqa: S608  names of our own tables
    found = list(rows)
    # Other threads are let in once for each statement, and each of them costs: so a statement takes many rows.
    whole = len(found) // _TOGETHER * _TOGETHER
    many = statement + ", ".join([marks] * _TOGETHER)
    for start in range(0, whole, _TOGETHER):
        conn.exec_driver_sql(many, tuple(chain.from_iterable(found[start : start + _TOGETHER])))
    if found[whole:]:
        conn.exec_driver_sql(statement + marks, found[whole:])


def update_rows(conn: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Update rows by their key, the first of ``columns``."""
    if not rows:
        return
    key, *rest = columns
    if conn.dialect.name == "postgresql":
        # One statement: each one of many would be planned for a table as small as it was in the beginning.
        types = [table.c[name].type.compile(conn.dialect).partition(" COLLATE")[0] for name in columns]
        given = ", ".join(f"%s::{type_}[]" for type_ in types)
        sets = ", ".join(f'"{name}" = v."{name}"' for name in rest)
        names = ", ".join(f'"{name}"' for name in columns)
        conn.exec_driver_sql(
            f'UPDATE "{table.name}" t SET {sets} FROM unnest({given}) AS v({names}) WHERE t."{key}" = v."{key}"',  # noqa: S608
            tuple([row[place] for row in rows] for place in range(len(columns))),
        )
        return
    sets = ", ".join(f'"{name}" = ?' for name in rest)
    statement = f'UPDATE "{table.name}" SET {sets} WHERE "{key}" = ?'  # noqa: S608  names of our own tables
    conn.exec_driver_sql(statement, [(*row[1:], row[0]) for row in rows])
