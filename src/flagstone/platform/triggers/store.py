"""The tables of triggers and of what they started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Integer, MetaData, Table, Text, delete, insert, select, update

from flagstone.contracts.runs import RunRequest
from flagstone.kernel.actor import principal_from_dict, principal_to_dict
from flagstone.platform.triggers.model import Fired, Trigger
from flagstone.toolkit.db import Database, JsonText, UtcDateTime, upsert

metadata = MetaData()

triggers = Table(
    "triggers_triggers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("cron", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("jitter_seconds", Integer, nullable=False),
    Column("missed", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("conditions", JsonText, nullable=False),
    Column("request", JsonText, nullable=False),
    Column("principal", JsonText, nullable=False),
    Column("known_here", Integer, nullable=False),
    Column("paused", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_at", UtcDateTime),
    Column("last_at", UtcDateTime),
    Column("last_run", Text),
    Column("last_error", Text, nullable=False),
    Index("triggers_triggers_next", "next_at"),
    Index("triggers_triggers_event", "event_type"),
    Index("triggers_triggers_kind", "kind", "id"),
)

firings = Table(
    "triggers_firings",
    metadata,
    Column("key", Text, primary_key=True),
    Column("trigger_id", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("event_subject", Text, nullable=False),
    Column("run_id", Text),
    Column("error", Text, nullable=False),
    Index("triggers_firings_trigger", "trigger_id", "at"),
)
KEPT = 50
"""Firings of one trigger that are remembered; its runs are kept as long as all others."""


class TriggerStore:
    """Reads and writes triggers."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def add(self, trigger: Trigger) -> None:
        """Insert one."""
        with self.db.write() as conn:
            conn.execute(insert(triggers).values(**_row(trigger)))

    def get(self, trigger_id: str) -> Trigger | None:
        """One of them."""
        with self.db.read() as conn:
            row = conn.execute(select(triggers).where(triggers.c.id == trigger_id)).mappings().first()
        return _trigger(row) if row else None

    def page(self, kind: str | None, before: str | None, limit: int) -> list[Trigger]:
        """Newest first: ids grow with time."""
        query = select(triggers).order_by(triggers.c.id.desc()).limit(limit)
        if kind is not None:
            query = query.where(triggers.c.kind == kind)
        if before is not None:
            query = query.where(triggers.c.id < before)
        with self.db.read() as conn:
            return [_trigger(row) for row in conn.execute(query).mappings()]

    def due(self, now: datetime, limit: int) -> list[Trigger]:
        """Those whose time has come, the longest due first."""
        query = select(triggers).where(triggers.c.next_at <= now).order_by(triggers.c.next_at).limit(limit)
        with self.db.read() as conn:
            return [_trigger(row) for row in conn.execute(query).mappings()]

    def waited_for(self) -> set[str]:
        """The types of events that anybody waits for."""
        query = select(triggers.c.event_type).where(triggers.c.event_type != "", triggers.c.paused == 0)
        with self.db.read() as conn:
            return set(conn.execute(query.distinct()).scalars())

    def waiting_for(self, event_type: str) -> list[Trigger]:
        """Those that wait for events of a type."""
        query = select(triggers).where(triggers.c.event_type == event_type, triggers.c.paused == 0)
        with self.db.read() as conn:
            return [_trigger(row) for row in conn.execute(query.order_by(triggers.c.id)).mappings()]

    def advance(self, trigger_id: str, due: datetime, values: Mapping[str, Any]) -> bool:
        """Change one that is still due at this very time; False when another process was first."""
        here = (triggers.c.id == trigger_id, triggers.c.next_at == due)
        with self.db.write() as conn:
            return conn.execute(update(triggers).where(*here).values(**values)).rowcount > 0

    def replace(self, trigger: Trigger) -> None:
        """Write one down as it is now; what it started last stays."""
        kept = {"id", "created_at", "last_at", "last_run", "last_error"}
        values = {name: value for name, value in _row(trigger).items() if name not in kept}
        self.change(trigger.id, values)

    def change(self, trigger_id: str, values: Mapping[str, Any]) -> None:
        """Change one."""
        with self.db.write() as conn:
            conn.execute(update(triggers).where(triggers.c.id == trigger_id).values(**values))

    def delete(self, trigger_id: str) -> None:
        """Delete one, with what is remembered of it."""
        with self.db.write() as conn:
            conn.execute(delete(firings).where(firings.c.trigger_id == trigger_id))
            conn.execute(delete(triggers).where(triggers.c.id == trigger_id))

    def fired(self, firing: Fired) -> None:
        """Remember a firing; the same one again replaces what was known of it, the oldest are forgotten."""
        mine = firings.c.trigger_id == firing.trigger_id
        with self.db.write() as conn:
            upsert(conn, firings, [asdict(firing)], key=["key"], update=["at", "run_id", "error"])
            query = select(firings.c.at).where(mine).order_by(firings.c.at.desc()).offset(KEPT).limit(1)
            oldest = conn.execute(query).scalar()
            if oldest is not None:
                conn.execute(delete(firings).where(mine, firings.c.at <= oldest))

    def firings(self, trigger_id: str, limit: int) -> list[Fired]:
        """Those of one trigger, the newest first."""
        query = select(firings).where(firings.c.trigger_id == trigger_id)
        with self.db.read() as conn:
            rows = conn.execute(query.order_by(firings.c.at.desc(), firings.c.key).limit(limit)).mappings()
            return [Fired(**row) for row in rows]


def _row(trigger: Trigger) -> dict[str, Any]:
    row = {name: getattr(trigger, name) for name in triggers.c.keys()}  # noqa: SIM118  columns, not a dict
    row["conditions"] = dict(trigger.conditions)
    row["request"] = trigger.request.model_dump(mode="json", exclude={"secrets"})
    row["principal"] = principal_to_dict(trigger.principal)
    return row | {"known_here": int(trigger.known_here), "paused": int(trigger.paused)}


def _trigger(row: Any) -> Trigger:
    found = dict(row)
    found["principal"] = principal_from_dict(found["principal"])
    found["request"] = RunRequest.model_validate(found["request"])
    return Trigger(**{**found, "known_here": bool(found["known_here"]), "paused": bool(found["paused"])})
