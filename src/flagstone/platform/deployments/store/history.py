"""What was done to deployments, by whom and with what outcome."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from flagstone.kernel.paging import Page, clamp_limit, decode_cursor, encode_cursor
from flagstone.platform.deployments.model import HistoryEntry, Outcome
from flagstone.platform.deployments.store.tables import history
from flagstone.toolkit.db import Database


class HistoryStore:
    """Appends to the history and reads it."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def begin(self, entry: HistoryEntry) -> HistoryEntry:
        """Note that something begins. The same step coming again after a crash finds its own entry."""
        with self.db.write() as conn:
            query = select(history).where(
                history.c.step_key == entry.step_key,
                history.c.deployment_id == entry.deployment_id,
                history.c.outcome == "running",
            )
            row = conn.execute(query.order_by(history.c.id.desc()).limit(1)).mappings().first()
            # Whoever holds the lock is the only one at work: an older entry without an end was cut off.
            others = update(history).where(
                history.c.deployment_id == entry.deployment_id,
                history.c.outcome == "running",
                history.c.step_key != entry.step_key,
            )
            conn.execute(others.values(outcome="interrupted", ended_at=entry.started_at))
            if row is not None:
                return HistoryEntry(**row)
            conn.execute(insert(history), {name: getattr(entry, name) for name in history.c.keys()})  # noqa: SIM118
        return entry

    def end(
        self, entry_id: str, outcome: Outcome, message: str, at: datetime, detail: Mapping[str, Any] | None = None
    ) -> None:
        """Note how it ended."""
        values: dict[str, Any] = {"outcome": outcome, "message": message, "ended_at": at}
        if detail is not None:
            values["detail"] = dict(detail)
        with self.db.write() as conn:
            conn.execute(update(history).where(history.c.id == entry_id).values(**values))

    def done(self, step_key: str) -> HistoryEntry | None:
        """The entry of a step that has succeeded already."""
        query = select(history).where(history.c.step_key == step_key, history.c.outcome == "succeeded")
        with self.db.read() as conn:
            row = conn.execute(query.order_by(history.c.id.desc()).limit(1)).mappings().first()
        return HistoryEntry(**row) if row else None

    def list(self, deployment_id: str, *, cursor: str | None, limit: int | None) -> Page[HistoryEntry]:
        """What was done to a deployment, newest first."""
        size = clamp_limit(limit)
        query = select(history).where(history.c.deployment_id == deployment_id)
        if cursor:
            query = query.where(history.c.id < str(decode_cursor(cursor)[0]))
        query = query.order_by(history.c.id.desc()).limit(size + 1)
        with self.db.read() as conn:
            found = [HistoryEntry(**row) for row in conn.execute(query).mappings()]
        more = encode_cursor(found[size - 1].id) if len(found) > size else None
        return Page(tuple(found[:size]), more)
