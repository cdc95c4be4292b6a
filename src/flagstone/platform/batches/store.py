"""The tables of batches. What several processes must agree on is decided by the row of the batch: see ``lock``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    and_,
    func,
    insert,
    or_,
    select,
    union,
    update,
)

from flagstone.contracts.batches import BatchCounts
from flagstone.contracts.runs import WorkflowDefinition
from flagstone.kernel.actor import principal_from_dict, principal_to_dict
from flagstone.platform.batches.model import ACTIVE, Batch, Item, counted
from flagstone.toolkit.db import Database, JsonText, UtcDateTime, hold, insert_ignore

metadata = MetaData()

batches = Table(
    "batches_batches",
    metadata,
    Column("id", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("workflow", JsonText, nullable=False),
    Column("query", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at_once", Integer, nullable=False),
    Column("stop_after_failures", Integer, nullable=False),
    Column("forgiven", Integer, nullable=False),
    Column("principal", JsonText, nullable=False),
    Column("known_here", Integer, nullable=False),
    Column("actor", Text, nullable=False),
    Column("idempotency_key", Text),
    Column("turn", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("secrets", JsonText, nullable=False, server_default="[]"),
    Column("secrets_kept", Integer, nullable=False, server_default="0"),
    UniqueConstraint("actor", "idempotency_key", name="batches_batches_actor_key"),
    Index("batches_batches_state", "state", "id"),
)

items = Table(
    "batches_items",
    metadata,
    Column("batch_id", Text, ForeignKey("batches_batches.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("inputs", JsonText, nullable=False),
    Column("owner", Text),
    Column("entities", JsonText, nullable=False),
    Column("state", Text, nullable=False),
    Column("run_id", Text),
    Column("run_number", Integer),
    Column("error", Text, nullable=False),
    Column("claimed_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    UniqueConstraint("batch_id", "subject", name="batches_items_subject_once"),
    Index("batches_items_state", "state", "batch_id", "position"),
    Index("batches_items_run", "run_id"),
    Index("batches_items_subject", "subject", "state"),
)

_BATCH = [column for column in batches.c if column.name not in ("actor", "idempotency_key", "turn")]


class BatchStore:
    """Reads and writes batches and their items. Methods that change something join the current transaction."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def add(self, batch: Batch, members: Sequence[Item], key: str | None) -> bool:
        """Insert one with its items; False when its maker used the key before."""
        row = {name: getattr(batch, name) for name in ("id", "title", "query", "state", "reason", "at_once")}
        row |= {name: getattr(batch, name) for name in ("stop_after_failures", "forgiven", "created_at", "ended_at")}
        row |= {"workflow": batch.workflow.model_dump(mode="json"), "known_here": int(batch.known_here), "turn": 0}
        row |= {"principal": principal_to_dict(batch.principal), "actor": batch.principal.id, "idempotency_key": key}
        row |= {"secrets": list(batch.secrets), "secrets_kept": int(batch.secrets_kept)}
        with self.db.write() as conn:
            if not insert_ignore(conn, batches, row, key=("actor", "idempotency_key")):
                return False
            conn.execute(insert(items), [asdict(item) for item in members])
        return True

    def by_key(self, actor: str, key: str) -> Batch | None:
        """The batch that somebody started with a key."""
        return self._one(and_(batches.c.actor == actor, batches.c.idempotency_key == key))

    def get(self, batch_id: str) -> Batch | None:
        """One of them."""
        return self._one(batches.c.id == batch_id)

    def _one(self, wanted: Any) -> Batch | None:
        with self.db.read() as conn:
            row = conn.execute(select(*_BATCH).where(wanted)).mappings().first()
        return _batch(row) if row else None

    def page(self, states: Sequence[str], before: str | None, limit: int) -> list[Batch]:
        """Newest first: ids grow with time."""
        query = select(*_BATCH).order_by(batches.c.id.desc()).limit(limit)
        if states:
            query = query.where(batches.c.state.in_(states))
        if before is not None:
            query = query.where(batches.c.id < before)
        with self.db.read() as conn:
            return [_batch(row) for row in conn.execute(query).mappings()]

    def lock(self, batch_id: str) -> Batch | None:
        """One of them, that no other process changes or takes items of until the transaction ends."""
        with self.db.write() as conn:
            return self.get(batch_id) if hold(conn, batches.c.turn, batches.c.id == batch_id) else None

    def change(self, batch_id: str, **values: Any) -> None:
        """Change one."""
        with self.db.write() as conn:
            conn.execute(update(batches).where(batches.c.id == batch_id).values(**values))

    def alive(self) -> list[str]:
        """Ids of those that somebody must drive: they start runs, or wait for the end of some."""
        going = select(batches.c.id).where(batches.c.state.in_(("running", "cancelling")))
        waiting = select(items.c.batch_id).where(items.c.state.in_(ACTIVE))
        with self.db.read() as conn:
            return sorted(conn.execute(union(going, waiting)).scalars())

    def failed_before(self, moment: datetime) -> list[str]:
        """Ids of those that failed before a moment and whose secrets are kept."""
        mine = (batches.c.state == "failed", batches.c.secrets_kept == 1, batches.c.ended_at < moment)
        with self.db.read() as conn:
            return list(conn.execute(select(batches.c.id).where(*mine)).scalars())

    def counts(self, batch_ids: Sequence[str]) -> dict[str, BatchCounts]:
        """How many items there are in each state, by batch."""
        query = (
            select(items.c.batch_id, items.c.state, func.count())
            .where(items.c.batch_id.in_(batch_ids))
            .group_by(items.c.batch_id, items.c.state)
        )
        found: dict[str, dict[str, int]] = {batch_id: {} for batch_id in batch_ids}
        with self.db.read() as conn:
            for batch_id, state, number in conn.execute(query):
                found[batch_id][state] = number
        return {batch_id: counted(numbers) for batch_id, numbers in found.items()}

    def members(self, batch_id: str, states: Sequence[str], after: int, limit: int) -> list[Item]:
        """Items in their order, after a position."""
        query = select(items).where(items.c.batch_id == batch_id, items.c.position > after)
        if states:
            query = query.where(items.c.state.in_(states))
        with self.db.read() as conn:
            return [Item(**row) for row in conn.execute(query.order_by(items.c.position).limit(limit)).mappings()]

    def of_runs(self, run_ids: Collection[str]) -> list[Item]:
        """The items that some runs are of; most runs are of none."""
        if not run_ids:
            return []
        with self.db.read() as conn:
            found = conn.execute(select(items).where(items.c.run_id.in_(run_ids)))
            return [Item(**row) for row in found.mappings()]

    def claim(self, batch_id: str, places: int, now: datetime, stale: datetime) -> list[Item]:
        """Take items to start: those that somebody took before ``stale`` and left, and as many new ones as there is
        room for. Call it under :meth:`lock`.
        """
        left = and_(items.c.state == "starting", items.c.claimed_at <= stale)
        new = (
            select(items.c.position)
            .where(items.c.batch_id == batch_id, items.c.state == "pending")
            .order_by(items.c.position)
            .limit(max(places, 0))
        )
        fresh = and_(items.c.state == "pending", items.c.position.in_(new))
        take = (
            update(items)
            .where(items.c.batch_id == batch_id, or_(left, fresh))
            .values(state="starting", claimed_at=now, error="", ended_at=None)
            .returning(items)
        )
        with self.db.write() as conn:
            found = [Item(**row) for row in conn.execute(take).mappings()]
        return sorted(found, key=lambda item: item.position)

    def move(self, item: Item, states: Sequence[str], **values: Any) -> bool:
        """Change an item that is in one of some states; False when it is not any more."""
        here = (items.c.batch_id == item.batch_id, items.c.position == item.position, items.c.state.in_(states))
        with self.db.write() as conn:
            return conn.execute(update(items).where(*here).values(**values)).rowcount > 0

    def move_all(self, batch_id: str, states: Sequence[str], **values: Any) -> int:
        """Change all items of a batch that are in some states; returns how many."""
        here = (items.c.batch_id == batch_id, items.c.state.in_(states))
        with self.db.write() as conn:
            return conn.execute(update(items).where(*here).values(**values)).rowcount

    def skip_subject(self, subject: str, error: str, now: datetime) -> list[str]:
        """Give up what has not begun for an entity; returns the batches it was in."""
        gone = (
            update(items)
            .where(items.c.subject == subject, items.c.state == "pending")
            .values(state="skipped", error=error, ended_at=now)
            .returning(items.c.batch_id)
        )
        with self.db.write() as conn:
            return list(conn.execute(gone).scalars())


def _batch(row: Any) -> Batch:
    found = dict(row)
    found["principal"] = principal_from_dict(found["principal"])
    found["workflow"] = WorkflowDefinition.model_validate(found["workflow"])
    found |= {"known_here": bool(found["known_here"]), "secrets_kept": bool(found["secrets_kept"])}
    return Batch(**{**found, "secrets": tuple(found["secrets"])})
