"""Keeping other processes from a row until the transaction ends, on both databases."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, update


def hold(conn: Connection, counter: Column[Any], *where: ColumnElement[bool]) -> bool:
    """Hold the rows of the counter's table that fit; False when there are none.

    Counting up is a change: whoever wants to hold or change the same row waits, and then judges it as it became.
    ``SELECT … FOR UPDATE`` would do nothing on SQLite.
    """
    changed = update(counter.table).where(*where).values({counter: counter + 1})
    return bool(conn.execute(changed).rowcount)
