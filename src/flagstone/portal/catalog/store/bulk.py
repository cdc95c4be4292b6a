"""Many rows at once, in the quickest way that each database has. For columns of text and numbers, unless it is said."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Table, insert

from flagstone.toolkit.db import insert_ignore

_TOGETHER = 200
_PARAMETERS = 500


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


def add_rows(
    conn: Connection, table: Table, rows: Sequence[dict[str, Any]], *, key: Sequence[str] = (), returning: str = ""
) -> dict[str, int]:
    """Insert rows, which all have the same columns, here also moments; those whose ``key`` is there are left alone.

    ``returning``: a column by whose values the ids of the new rows are returned, as far as the database tells them.
    """
    if not rows:
        return {}
    if conn.dialect.name != "postgresql":
        for start in range(0, len(rows), _PARAMETERS):
            part = rows[start : start + _PARAMETERS]
            if key:
                insert_ignore(conn, table, part, key=key)
            else:
                conn.execute(insert(table), list(part))
        return {}
    columns = list(rows[0])
    names = ", ".join(f'"{name}"' for name in columns)
    given, values = _given(conn, table, columns, [tuple(row.values()) for row in rows])
    statement = f'INSERT INTO "{table.name}" ({names}) SELECT {names} FROM {given}'  # noqa: S608  names of our own tables
    if key:
        keys = ", ".join(f'"{name}"' for name in key)
        statement += f" ON CONFLICT ({keys}) DO NOTHING"
    if not returning:
        conn.exec_driver_sql(statement, values)
        return {}
    found = conn.exec_driver_sql(f'{statement} RETURNING "{returning}", id', values)
    return {str(value): int(id_) for value, id_ in found}


def _given(
    conn: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> tuple[str, tuple[str]]:
    """Rows as a table ``v`` of one parameter: as JSON, which Python and PostgreSQL write and read soonest."""
    types = [table.c[name].type.compile(conn.dialect).partition(" COLLATE")[0] for name in columns]
    shape = ", ".join(f'"{name}" {type_}' for name, type_ in zip(columns, types, strict=True))
    items = [dict(zip(columns, row, strict=True)) for row in rows]
    text = json.dumps(items, ensure_ascii=False, separators=(",", ":"), default=_moment)
    return f"json_to_recordset(%s::json) AS v({shape})", (text,)


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not for these tables")


def update_rows(conn: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Update rows by their key, the first of ``columns``."""
    if not rows:
        return
    key, *rest = columns
    if conn.dialect.name == "postgresql":
        # One statement: each one of many would be planned for a table as small as it was in the beginning.
        sets = ", ".join(f'"{name}" = v."{name}"' for name in rest)
        given, values = _given(conn, table, columns, rows)
        conn.exec_driver_sql(f'UPDATE "{table.name}" t SET {sets} FROM {given} WHERE t."{key}" = v."{key}"', values)  # noqa: S608
        return
    sets = ", ".join(f'"{name}" = ?' for name in rest)
    statement = f'UPDATE "{table.name}" SET {sets} WHERE "{key}" = ?'  # noqa: S608  names of our own tables
    conn.exec_driver_sql(statement, [(*row[1:], row[0]) for row in rows])
