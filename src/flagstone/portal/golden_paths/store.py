"""The table of drafts."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Integer, MetaData, Table, Text, delete, select, update

from flagstone.portal.golden_paths.model import Draft
from flagstone.toolkit.db import Database, JsonText, UtcDateTime, upsert

metadata = MetaData()

drafts = Table(
    "golden_paths_drafts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("template_ref", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("answers", JsonText, nullable=False),
    Column("secrets", JsonText, nullable=False),
    Column("step", Integer, nullable=False),
    Column("run_id", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("rerun_of", Text),
    Column("entity_ref", Text),
    Index("golden_paths_drafts_user", "user_id", "updated_at"),
    Index("golden_paths_drafts_updated", "updated_at"),
)

_CHANGED = ("version", "answers", "secrets", "step", "updated_at")


class DraftStore:
    """Reads and writes drafts."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def get(self, draft_id: str) -> Draft | None:
        """One draft, whoever it belongs to."""
        with self.db.read() as conn:
            row = conn.execute(select(drafts).where(drafts.c.id == draft_id)).mappings().first()
        return _draft(row) if row else None

    def open_drafts(self, user_id: str, since: datetime, limit: int) -> list[Draft]:
        """Drafts of a person that did not become a run, newest first."""
        query = select(drafts).where(
            drafts.c.user_id == user_id, drafts.c.run_id.is_(None), drafts.c.updated_at >= since
        )
        with self.db.read() as conn:
            rows = conn.execute(query.order_by(drafts.c.updated_at.desc()).limit(limit)).mappings()
            return [_draft(row) for row in rows]

    def save(self, draft: Draft) -> None:
        """Insert or change a draft."""
        row = asdict(draft) | {"secrets": list(draft.secrets)}
        row["answers"] = row.pop("values")
        with self.db.write() as conn:
            upsert(conn, drafts, [row], key=["id"], update=_CHANGED)

    def became(self, draft_id: str, run_id: str) -> None:
        """Note the run that a draft became. What it said is in the run now."""
        with self.db.write() as conn:
            conn.execute(update(drafts).where(drafts.c.id == draft_id).values(run_id=run_id, secrets=[]))

    def delete(self, draft_id: str) -> None:
        """Delete a draft."""
        with self.db.write() as conn:
            conn.execute(delete(drafts).where(drafts.c.id == draft_id))

    def expired(self, before: datetime, limit: int) -> list[Draft]:
        """Drafts that nobody touched since a moment."""
        query = select(drafts).where(drafts.c.updated_at < before).order_by(drafts.c.updated_at).limit(limit)
        with self.db.read() as conn:
            return [_draft(row) for row in conn.execute(query).mappings()]


def _draft(row: Any) -> Draft:
    found = dict(row)
    values, secrets = found.pop("answers"), tuple(found.pop("secrets"))
    return Draft(**found, values=values, secrets=secrets)
