"""The one sequence of log lines and state changes of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, delete, insert, select, update

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


class EventStore:
    """Appends and pages events.

    A number is taken while the run's row is locked, until the commit: a reader never sees a gap.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def append(self, run_id: str, new: Sequence[NewEvent], *, fence: int | None = None) -> int:
        """Add events; returns the last sequence number.

        Raises Conflict (``runs.fenced``) when ``fence`` is given and another executor has taken the run since.
        """
        if not new:
            return 0
        statement = update(runs).where(runs.c.id == run_id)
        if fence is not None:
            statement = statement.where(runs.c.fence == fence)
        with self._db.write() as conn:
            counted = statement.values(last_seq=runs.c.last_seq + len(new)).returning(runs.c.last_seq)
            last = conn.execute(counted).scalar()
            if last is None:
                raise Conflict("runs.fenced", f"Run {run_id} was taken over by another executor.")
            first = int(last) - len(new) + 1
            conn.execute(
                insert(events),
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
        return int(last)

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
