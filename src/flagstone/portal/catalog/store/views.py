"""Saved views: a name for a list's address, for oneself or for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Column, Index, Row, Table, Text, delete, func, insert, or_, select

from flagstone.portal.catalog.store.tables import metadata
from flagstone.toolkit.db import PortalDatabase, UtcDateTime

views = Table(
    "catalog_views",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner_id", Text, nullable=False),
    Column("owner_name", Text, nullable=False),
    Column("name", Text, nullable=False),
    # The query string of the list, without a cursor.
    Column("query", Text, nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index("catalog_views_owner", "owner_id", "name", unique=True),
    Index("catalog_views_shared", "shared", "name"),
)


@dataclass(frozen=True, slots=True)
class SavedView:
    """One of them."""

    id: str
    owner_id: str
    owner_name: str
    name: str
    query: str
    shared: bool
    created_at: datetime


class ViewStore:
    """All saved views."""

    def __init__(self, db: PortalDatabase) -> None:
        self._db = db

    def visible(self, user_id: str, limit: int) -> list[SavedView]:
        """One's own and the shared ones, by name."""
        where = or_(views.c.owner_id == user_id, views.c.shared.is_(True))
        statement = select(views).where(where).order_by(func.lower(views.c.name), views.c.id).limit(limit)
        with self._db.read() as conn:
            return [_view(row) for row in conn.execute(statement)]

    def get(self, id_: str) -> SavedView | None:
        """One view."""
        with self._db.read() as conn:
            row = conn.execute(select(views).where(views.c.id == id_)).first()
        return _view(row) if row else None

    def count(self, user_id: str) -> int:
        """How many somebody has."""
        with self._db.read() as conn:
            statement = select(func.count()).select_from(views).where(views.c.owner_id == user_id)
            return int(conn.execute(statement).scalar_one())

    def put(self, view: SavedView) -> None:
        """Keep a view, in the place of the owner's view of the same name."""
        with self._db.write() as conn:
            conn.execute(delete(views).where(views.c.owner_id == view.owner_id, views.c.name == view.name))
            conn.execute(
                insert(views),
                {
                    "id": view.id,
                    "owner_id": view.owner_id,
                    "owner_name": view.owner_name,
                    "name": view.name,
                    "query": view.query,
                    "shared": view.shared,
                    "created_at": view.created_at,
                },
            )

    def delete(self, id_: str) -> None:
        """Remove a view; none is fine."""
        with self._db.write() as conn:
            conn.execute(delete(views).where(views.c.id == id_))


def _view(row: Row[Any]) -> SavedView:
    return SavedView(row.id, row.owner_id, row.owner_name, row.name, row.query, row.shared, row.created_at)
