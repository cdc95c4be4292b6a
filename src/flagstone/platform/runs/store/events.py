"""The one sequence of log lines and state changes of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from sqlalchemy import ColumnElement, bindparam, delete, insert, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from flagstone.contracts.runs import RunEvent
from flagstone.kernel.errors import Conflict
from flagstone.platform.runs.store.tables import events, runs
from flagstone.toolkit.db import Database


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event without its sequence number."""

    at: datetime
    type: Literal["log", "step", "run"]
    step: str = ""
    text: str = ""
    stream: str = "out"
    state: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes that it adds to the log."""
        return len(self.text.encode()) + 1 if self.type == "log" else 0


_INSERT = insert(events)


@lru_cache
def _advance(fenced: bool, also: tuple[str, ...]) -> ReturningUpdate[Any]:
    """Built once: this is the statement that is executed most."""
    statement = update(runs).where(runs.c.id == bindparam("of_run"))
    if fenced:
        statement = statement.where(runs.c.fence == bindparam("of_fence"))
    values = {
        "last_seq": runs.c.last_seq + bindparam("by"),
        "log_bytes": runs.c.log_bytes + bindparam("bytes_more"),
        **{name: bindparam(name) for name in also},
    }
    return statement.values(values).returning(runs.c.last_seq, runs.c.state)


class EventStore:
    """Appends and pages events.

    A number is taken while the run's row is locked, until the commit: a reader never sees a gap.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def append(
        self, run_id: str, new: Sequence[NewEvent], *, fence: int | None = None, also: Mapping[str, Any] | None = None
    ) -> str | None:
        """Add events, and set columns of the run; returns the run's state, None when there was nothing to do.

        Raises Conflict (``runs.fenced``) when ``fence`` is given and another executor has taken the run since.
        """
        if not new and not also:
            return None
        wanted = {"of_run": run_id, "by": len(new), "bytes_more": sum(item.size for item in new), **(also or {})}
        if fence is not None:
            wanted["of_fence"] = fence
        with self._db.write() as conn:
            counted = conn.execute(_advance(fence is not None, tuple(also or ())), wanted).first()
            if counted is None:
                raise Conflict("runs.fenced", f"Run {run_id} was taken over by another executor.")
            first = int(counted.last_seq) - len(new) + 1
            if not new:
                return str(counted.state)
            conn.execute(
                _INSERT,
                [
                    {
                        "run_id": run_id,
                        "seq": first + offset,
                        "at": item.at,
                        "type": item.type,
                        "step": item.step,
                        "text": item.text,
                        "stream": item.stream,
                        "state": item.state,
                        "data": dict(item.data) or None,
                    }
                    for offset, item in enumerate(new)
                ],
            )
        return str(counted.state)

    def read(self, run_id: str, *, after: int = 0, limit: int = 1000) -> list[RunEvent]:
        """Events after a sequence number, oldest first."""
        return self._read(events.c.run_id == run_id, events.c.seq > after, limit=limit)

    def search(
        self, run_id: str, *, text: str = "", step: str | None = None, after: int = 0, limit: int = 1000
    ) -> list[RunEvent]:
        """Log lines that hold a text (in any case), of one step or of all, oldest first."""
        where = [events.c.run_id == run_id, events.c.seq > after, events.c.type == "log"]
        if text:
            where.append(events.c.text.icontains(text, autoescape=True))
        if step:
            where.append(events.c.step == step)
        return self._read(*where, limit=limit)

    def drop_log(self, run_id: str) -> None:
        """Delete the log lines; state changes stay."""
        with self._db.write() as conn:
            conn.execute(delete(events).where(events.c.run_id == run_id, events.c.type == "log"))
            conn.execute(update(runs).where(runs.c.id == run_id).values(log_bytes=0))

    def _read(self, *where: ColumnElement[bool], limit: int) -> list[RunEvent]:
        statement = select(events).where(*where).order_by(events.c.seq).limit(limit)
        with self._db.read() as conn:
            rows = conn.execute(statement).mappings().all()
        return [
            RunEvent(
                seq=row["seq"],
                at=row["at"],
                type=row["type"],
                step=row["step"],
                text=row["text"],
                stream=row["stream"],
                state=row["state"],
                data=row["data"] or {},
            )
            for row in rows
        ]
