"""Tables and queries of environments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Table, Text, delete, func, insert, select

from flagstone.platform.environments.model import Environment, EnvironmentType
from flagstone.toolkit.db import Database, upsert

metadata = MetaData()

types = Table(
    "environments_types",
    metadata,
    Column("name", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("origin", Text, nullable=False),
)

environments = Table(
    "environments_environments",
    metadata,
    Column("name", Text, primary_key=True),
    Column("type", Text, nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("runtime", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("origin", Text, nullable=False),
)

_TYPE_COLUMNS = ("title", "description", "position", "origin")
_ENVIRONMENT_COLUMNS = ("type", "title", "description", "runtime", "position", "origin")


class EnvironmentStore:
    """Reads and writes environments and their types."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def list_types(self) -> list[EnvironmentType]:
        """All types in the order of promotion."""
        with self.db.read() as conn:
            rows = conn.execute(select(types).order_by(types.c.position, types.c.name)).mappings()
            return [EnvironmentType(**row) for row in rows]

    def list_environments(self) -> list[Environment]:
        """All environments in the order of promotion: by type, then by their own position."""
        joined = environments.outerjoin(types, types.c.name == environments.c.type)
        query = select(environments).select_from(joined)
        query = query.order_by(types.c.position, environments.c.position, environments.c.name)
        with self.db.read() as conn:
            return [_environment(row) for row in conn.execute(query).mappings()]

    def get(self, name: str) -> Environment | None:
        """One environment."""
        with self.db.read() as conn:
            row = conn.execute(select(environments).where(environments.c.name == name)).mappings().first()
        return _environment(row) if row else None

    def put_types(self, items: Sequence[EnvironmentType]) -> None:
        """Insert or replace types."""
        if items:
            with self.db.write() as conn:
                upsert(conn, types, [asdict(item) for item in items], key=["name"], update=_TYPE_COLUMNS)

    def put_environments(self, items: Sequence[Environment]) -> None:
        """Insert or replace environments."""
        if items:
            rows = [asdict(item) for item in items]
            with self.db.write() as conn:
                upsert(conn, environments, rows, key=["name"], update=_ENVIRONMENT_COLUMNS)

    def create(self, item: Environment) -> None:
        """Insert one environment; the caller has made sure within the same transaction that its name is free."""
        with self.db.write() as conn:
            conn.execute(insert(environments), asdict(item))

    def next_position(self, type_name: str) -> int:
        """A position after all environments of a type."""
        query = select(func.max(environments.c.position)).where(environments.c.type == type_name)
        with self.db.read() as conn:
            highest = conn.execute(query).scalar()
        return 0 if highest is None else int(highest) + 1

    def delete_environments(self, names: Sequence[str]) -> None:
        """Delete environments by name."""
        with self.db.write() as conn:
            conn.execute(delete(environments).where(environments.c.name.in_(names)))

    def delete_types(self, names: Sequence[str]) -> None:
        """Delete types by name."""
        with self.db.write() as conn:
            conn.execute(delete(types).where(types.c.name.in_(names)))


def _environment(row: Any) -> Environment:
    return Environment(**row)
