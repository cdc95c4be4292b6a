"""The table of hosted repositories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Column, MetaData, Table, Text, delete, func, select, update

from flagstone.platform.repositories.model import Repository
from flagstone.toolkit.db import Database, JsonText, UtcDateTime, insert_ignore

metadata = MetaData()

repositories = Table(
    "repositories_repositories",
    metadata,
    Column("name", Text, primary_key=True),
    Column("description", Text, nullable=False),
    Column("owner", Text, index=True),
    Column("default_branch", Text, nullable=False),
    Column("branches", JsonText, nullable=False),
    Column("created_commit", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("step_key", Text, unique=True),
)


class RepositoryStore:
    """Reads and writes repositories."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def get(self, name: str, *, lock: bool = False) -> Repository | None:
        """One repository. ``lock`` keeps others from changing it until the transaction ends."""
        query = select(repositories).where(repositories.c.name == name)
        with self.db.read() as conn:
            row = conn.execute(query.with_for_update() if lock else query).mappings().first()
        return _repository(row) if row else None

    def by_step_key(self, step_key: str) -> Repository | None:
        """The repository that a step made."""
        with self.db.read() as conn:
            row = conn.execute(select(repositories).where(repositories.c.step_key == step_key)).mappings().first()
        return _repository(row) if row else None

    def page(self, after: str, limit: int) -> list[Repository]:
        """Repositories by name."""
        query = select(repositories).where(repositories.c.name > after).order_by(repositories.c.name).limit(limit)
        with self.db.read() as conn:
            return [_repository(row) for row in conn.execute(query).mappings()]

    def count(self) -> int:
        """How many there are."""
        with self.db.read() as conn:
            return conn.execute(select(func.count()).select_from(repositories)).scalar_one()

    def add(self, item: Repository) -> bool:
        """Insert one; False when the name is taken."""
        with self.db.write() as conn:
            return insert_ignore(conn, repositories, asdict(item), key=["name"]) > 0

    def set_branches(self, name: str, branches: Mapping[str, str], at: datetime) -> None:
        """Note where the branches stand."""
        values = {"branches": dict(branches), "updated_at": at}
        with self.db.write() as conn:
            conn.execute(update(repositories).where(repositories.c.name == name).values(**values))

    def delete(self, name: str) -> bool:
        """Delete one; False when it is not there."""
        with self.db.write() as conn:
            return conn.execute(delete(repositories).where(repositories.c.name == name)).rowcount > 0


def _repository(row: Any) -> Repository:
    return Repository(**row)
