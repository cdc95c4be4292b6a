"""Rows of workers: who executes runs, and when it was last heard of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, text, update

from flagstone.kernel.clock import Now
from flagstone.platform.runs.model import WorkerRecord
from flagstone.platform.runs.store.tables import workers
from flagstone.toolkit.db import Database, upsert

_COLUMNS = ("session", "state", "host", "process", "concurrency", "lease_seconds", "started_at", "seen_at")


def database_now(db: Database, now: Now) -> datetime:
    """The time of the database, the same for every process; SQLite has none of its own and one process only."""
    if db.is_sqlite:
        return now()
    with db.read() as conn:
        moment: datetime = conn.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment


class WorkerStore:
    """Methods that change something join the current transaction. Times are those of the database."""

    def __init__(self, db: Database, now: Now) -> None:
        self._db = db
        self._now = now

    def register(self, record: WorkerRecord) -> WorkerRecord:
        """A worker begins, in the place of whoever had its name before."""
        now = database_now(self._db, self._now)
        row = {name: getattr(record, name) for name in ("name", *_COLUMNS)} | {"started_at": now, "seen_at": now}
        with self._db.write() as conn:
            upsert(conn, workers, row, key=("name",), update=_COLUMNS)
        return replace(record, started_at=now, seen_at=now)

    def beat(self, name: str, session: str) -> bool:
        """A worker is there. False when it was given up meanwhile, or another has its name."""
        now = database_now(self._db, self._now)
        statement = update(workers).where(workers.c.name == name, workers.c.session == session)
        with self._db.write() as conn:
            return bool(conn.execute(statement.values(seen_at=now)).rowcount)

    def set_state(self, name: str, session: str, state: str) -> None:
        """``active`` or ``stopping``."""
        statement = update(workers).where(workers.c.name == name, workers.c.session == session)
        with self._db.write() as conn:
            conn.execute(statement.values(state=state))

    def all(self) -> list[WorkerRecord]:
        """Every worker, by name."""
        with self._db.read() as conn:
            return [_record(row) for row in conn.execute(select(workers).order_by(workers.c.name)).mappings()]

    def remove(self, worker: WorkerRecord) -> bool:
        """Take a worker out. False when it was heard of since, or somebody else did it."""
        where = (workers.c.name == worker.name, workers.c.session == worker.session)
        with self._db.write() as conn:
            gone = conn.execute(delete(workers).where(*where, workers.c.seen_at == worker.seen_at))
        return bool(gone.rowcount)


def _record(row: Mapping[Any, Any]) -> WorkerRecord:
    return WorkerRecord(**{name: row[name] for name in ("name", *_COLUMNS)})
