"""The tables of hosted repositories and of the change requests to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Integer, MetaData, Table, Text, delete, func, select, update

from flagstone.platform.repositories.model import ChangeRequest, Repository
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


changes = Table(
    "repositories_changes",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("branch", Text, nullable=False),
    Column("base", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("head", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("author_name", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("base_commit", Text),
    Column("merge_commit", Text),
    Column("ended_by", Text, nullable=False),
    Column("ended_by_name", Text, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("step_key", Text, unique=True),
    Index("ix_repositories_changes_state", "repository", "state", "number"),
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
        """Delete one with its change requests; False when it is not there."""
        with self.db.write() as conn:
            conn.execute(delete(changes).where(changes.c.repository == name))
            return conn.execute(delete(repositories).where(repositories.c.name == name)).rowcount > 0


class ChangeStore:
    """Reads and writes change requests."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def get(self, repository: str, number: int) -> ChangeRequest | None:
        """One of them."""
        return self._first(changes.c.repository == repository, changes.c.number == number)

    def open_for(self, repository: str, branch: str, base: str) -> ChangeRequest | None:
        """The open one from a branch into another."""
        where = (changes.c.repository == repository, changes.c.state == "open")
        return self._first(*where, changes.c.branch == branch, changes.c.base == base)

    def by_step_key(self, step_key: str) -> ChangeRequest | None:
        """The one that a step opened."""
        return self._first(changes.c.step_key == step_key)

    def page(self, repository: str, states: Sequence[str], before: int | None, limit: int) -> list[ChangeRequest]:
        """Newest first, below a number."""
        query = select(changes).where(changes.c.repository == repository)
        if states:
            query = query.where(changes.c.state.in_(states))
        if before is not None:
            query = query.where(changes.c.number < before)
        with self.db.read() as conn:
            rows = conn.execute(query.order_by(changes.c.number.desc()).limit(limit)).mappings()
            return [ChangeRequest(**row) for row in rows]

    def count(self, repository: str, states: Sequence[str] = ()) -> int:
        """How many there are."""
        query = select(func.count()).select_from(changes).where(changes.c.repository == repository)
        if states:
            query = query.where(changes.c.state.in_(states))
        with self.db.read() as conn:
            return conn.execute(query).scalar_one()

    def add(self, item: ChangeRequest) -> ChangeRequest:
        """Insert one under the next number of its repository, whose row the caller has locked."""
        with self.db.write() as conn:
            highest = select(func.max(changes.c.number)).where(changes.c.repository == item.repository)
            numbered = replace(item, number=(conn.execute(highest).scalar() or 0) + 1)
            conn.execute(changes.insert().values(**asdict(numbered)))
        return numbered

    def save(self, item: ChangeRequest) -> None:
        """Update one."""
        where = (changes.c.repository == item.repository, changes.c.number == item.number)
        with self.db.write() as conn:
            conn.execute(update(changes).where(*where).values(**asdict(item)))

    def _first(self, *where: Any) -> ChangeRequest | None:
        with self.db.read() as conn:
            row = conn.execute(select(changes).where(*where)).mappings().first()
        return ChangeRequest(**row) if row else None


def _repository(row: Any) -> Repository:
    return Repository(**row)
