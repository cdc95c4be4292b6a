"""Rows of waiting steps. A step waits at no cost but its row; it is woken by an answer or when its time has come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from flagstone.platform.runs.model import Wait
from flagstone.platform.runs.store.tables import waits
from flagstone.toolkit.db import Database


class WaitStore:
    """Methods that change something join the current transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def put(self, wait: Wait, now: datetime) -> None:
        """A step waits from now on; what it waited for before is over."""
        row = {
            "run_id": wait.run_id,
            "step_id": wait.step_id,
            "kind": wait.kind,
            "state": "open",
            "message": wait.message,
            "until": wait.until,
            "answer_schema": wait.schema,
            "asked": list(wait.asked),
            "approval_id": wait.approval_id,
            "data": dict(wait.data),
            "answer": None,
            "reason": wait.reason,
            "created_at": now,
        }
        with self._db.write() as conn:
            self.drop(wait.run_id, wait.step_id)
            conn.execute(insert(waits), row)

    def drop(self, run_id: str, step_id: str | None = None) -> None:
        """A step, or a whole run, waits no more."""
        statement = delete(waits).where(waits.c.run_id == run_id)
        if step_id is not None:
            statement = statement.where(waits.c.step_id == step_id)
        with self._db.write() as conn:
            conn.execute(statement)

    def of(self, run_id: str) -> dict[str, Wait]:
        """What the steps of a run wait for, or waited for last, by step."""
        with self._db.read() as conn:
            rows = conn.execute(select(waits).where(waits.c.run_id == run_id)).mappings()
            return {row["step_id"]: _wait(row) for row in rows}

    def answer(self, run_id: str, step_id: str, answer: Mapping[str, Any] | None) -> bool:
        """Wake a step that waits: with an answer, or without because its time has come. False when it does not wait."""
        where = (waits.c.run_id == run_id, waits.c.step_id == step_id, waits.c.state == "open")
        values = {"state": "due" if answer is None else "answered", "answer": None if answer is None else dict(answer)}
        with self._db.write() as conn:
            return bool(conn.execute(update(waits).where(*where).values(**values)).rowcount)

    def due(self, now: datetime, limit: int = 200) -> list[tuple[str, str]]:
        """(run, step) of those whose time has come, the longest overdue first."""
        where = (waits.c.state == "open", waits.c.until <= now)
        statement = select(waits.c.run_id, waits.c.step_id).where(*where).order_by(waits.c.until).limit(limit)
        with self._db.read() as conn:
            return [(row.run_id, row.step_id) for row in conn.execute(statement)]

    def next_due(self) -> datetime | None:
        """When the next one is to be woken."""
        with self._db.read() as conn:
            found: datetime | None = conn.execute(
                select(func.min(waits.c.until)).where(waits.c.state == "open", waits.c.until.is_not(None))
            ).scalar()
        return found


def _wait(row: Mapping[Any, Any]) -> Wait:
    return Wait(
        run_id=row["run_id"],
        step_id=row["step_id"],
        kind=row["kind"],
        state=row["state"],
        message=row["message"],
        until=row["until"],
        schema=row["answer_schema"],
        asked=tuple(row["asked"]),
        approval_id=row["approval_id"],
        data=row["data"],
        answer=row["answer"],
        reason=row["reason"],
    )
