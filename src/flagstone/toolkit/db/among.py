"""Rows whose column holds one of many values, in the way that each database answers soonest."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Connection, any_, bindparam, func, select, tuple_


def among(conn: Connection, column: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """Whether a column holds one of the values, in a statement for this connection.

    On PostgreSQL they are one array: a list of placeholders is another statement for each length, planned each time.
    """
    if conn.dialect.name == "postgresql":
        return column == any_(bindparam(None, list(values), type_=ARRAY(column.type)))
    return column.in_(list(values))


def among_pairs(
    conn: Connection, first: ColumnElement[Any], second: ColumnElement[Any], pairs: Sequence[tuple[Any, Any]]
) -> ColumnElement[bool]:
    """Whether two columns together hold one of the pairs, in a statement for this connection."""
    both = tuple_(first, second)
    if conn.dialect.name != "postgresql":
        return both.in_([tuple(pair) for pair in pairs])
    given = (
        bindparam(None, [pair[place] for pair in pairs], type_=ARRAY(column.type))
        for place, column in enumerate((first, second))
    )
    return both.in_(select(*(func.unnest(values) for values in given)))
