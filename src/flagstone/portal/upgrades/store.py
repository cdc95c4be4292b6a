"""The tables: what made which entity, and which versions of a template were seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Integer, MetaData, Table, Text, and_, delete, func, or_, select, update

from flagstone.portal.upgrades.model import Memory, Pending, Proposed
from flagstone.toolkit.db import Database, JsonText, UtcDateTime, insert_ignore, upsert

metadata = MetaData()

components = Table(
    "upgrades_components",
    metadata,
    Column("entity_ref", Text, primary_key=True),
    Column("template_ref", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("inputs", JsonText, nullable=False),
    Column("repository", Text, nullable=False),
    Column("commit", Text, nullable=False),
    Column("run_number", Integer, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("pending", JsonText),
    Index("upgrades_components_template", "template_ref", "entity_ref"),
    Index("upgrades_components_repository", "repository"),
)

versions = Table(
    "upgrades_versions",
    metadata,
    Column("template_ref", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
)

_REMEMBERED = ("template_ref", "version", "inputs", "repository", "commit", "run_number", "made_at", "pending")


class UpgradeStore:
    """Reads and writes memories and versions."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def remember(self, memories: Sequence[Memory]) -> None:
        """Keep what a run made; one that was told before (or is older than what is known) changes nothing."""
        with self.db.write() as conn:
            for memory in memories:
                known = self.get(memory.entity_ref)
                if known is None or (known.run_number < memory.run_number and known.repository != memory.repository):
                    upsert(conn, components, [asdict(memory)], key=["entity_ref"], update=_REMEMBERED)
                self.saw(memory.template_ref, memory.version, memory.made_at)

    def get(self, entity_ref: str) -> Memory | None:
        """What made an entity."""
        with self.db.read() as conn:
            row = conn.execute(select(components).where(components.c.entity_ref == entity_ref)).mappings().first()
        return _memory(row) if row else None

    def propose(self, proposed: Proposed) -> None:
        """Keep what an upgrade proposed; with nothing to change the component is at that version already."""
        fresh: dict[str, Any] = {"pending": asdict(proposed.pending)}
        if proposed.number is None:
            fresh = _reached(proposed.pending)
        with self.db.write() as conn:
            conn.execute(update(components).where(components.c.repository == proposed.repository).values(**fresh))

    def ended(self, repository: str, number: int, *, merged: bool) -> None:
        """The change request of an upgrade came to its end."""
        with self.db.write() as conn:
            rows = conn.execute(select(components).where(components.c.repository == repository)).mappings()
            for memory in [_memory(row) for row in rows]:
                if memory.pending is not None and memory.pending.number == number:
                    fresh = _reached(memory.pending) if merged else {"pending": None}
                    here = components.c.entity_ref == memory.entity_ref
                    conn.execute(update(components).where(here).values(**fresh))

    def forget_repository(self, repository: str) -> None:
        """The repository is gone."""
        with self.db.write() as conn:
            conn.execute(delete(components).where(components.c.repository == repository))

    def saw(self, template_ref: str, version: str, at: datetime) -> None:
        """Note a version of a template."""
        with self.db.write() as conn:
            row = {"template_ref": template_ref, "version": version, "seen_at": at}
            insert_ignore(conn, versions, [row], key=("template_ref", "version"))

    def versions(self, template_ref: str) -> list[str]:
        """The versions of a template that were seen, oldest first."""
        query = select(versions.c.version).where(versions.c.template_ref == template_ref)
        with self.db.read() as conn:
            return list(conn.execute(query.order_by(versions.c.seen_at, versions.c.version)).scalars())

    def templates(self) -> dict[str, int]:
        """Templates that made something, with how much."""
        query = select(components.c.template_ref, func.count()).group_by(components.c.template_ref)
        with self.db.read() as conn:
            return {row[0]: row[1] for row in conn.execute(query)}

    def page(
        self, after: str, limit: int, *, template_ref: str | None = None, current: Mapping[str, str] | None = None
    ) -> list[Memory]:
        """Memories by entity; ``current`` leaves out those at the given version of their template."""
        query = select(components).where(components.c.entity_ref > after)
        if template_ref is not None:
            query = query.where(components.c.template_ref == template_ref)
        if current is not None:
            behind = [
                and_(components.c.template_ref == ref, components.c.version != version)
                for ref, version in current.items()
            ]
            if not behind:
                return []
            query = query.where(or_(*behind))
        with self.db.read() as conn:
            rows = conn.execute(query.order_by(components.c.entity_ref).limit(limit)).mappings()
            return [_memory(row) for row in rows]


def _reached(pending: Pending) -> dict[str, Any]:
    return {"version": pending.version, "inputs": dict(pending.inputs), "commit": pending.commit, "pending": None}


def _memory(row: Any) -> Memory:
    found = dict(row)
    pending = found.pop("pending")
    return Memory(**found, pending=Pending(**pending) if pending else None)
