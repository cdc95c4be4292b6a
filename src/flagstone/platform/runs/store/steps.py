"""Rows of steps, and the intents that are written before a side effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Update, bindparam, delete, func, insert, select, update

from flagstone.platform.runs.model import Intent, IntentState, StepRecord
from flagstone.platform.runs.store.tables import intents, runs, steps
from flagstone.toolkit.db import Database, upsert

_CLOSE = (
    update(intents)
    .where(intents.c.step_key == bindparam("of_key"))
    .values({name: bindparam(f"new_{name}") for name in ("state", "outputs", "ended_at")})
)


@lru_cache
def _change(names: tuple[str, ...]) -> Update:
    """Built once for each set of columns: building it costs more than executing it."""
    wanted = update(steps).where(steps.c.run_id == bindparam("of_run"), steps.c.id == bindparam("of_step"))
    return wanted.values({name: bindparam(f"new_{name}") for name in names})


class StepStore:
    """Steps and intents of runs. The caller has checked the fence in the same transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, run_id: str, records: Sequence[StepRecord]) -> None:
        """Insert steps and count them in the run."""
        if not records:
            return
        with self._db.write() as conn:
            conn.execute(insert(steps), [_to_row(run_id, record) for record in records])
            self._count(run_id)

    def replace(self, run_id: str, index: int, records: Sequence[StepRecord]) -> None:
        """Put other rows in the place of the ones at an index: turns for a step, or a step for its turns."""
        with self._db.write() as conn:
            conn.execute(delete(steps).where(steps.c.run_id == run_id, steps.c.position == index))
            self.add(run_id, records)

    def of(self, run_id: str) -> tuple[StepRecord, ...]:
        """All steps in order."""
        statement = select(steps).where(steps.c.run_id == run_id).order_by(steps.c.position, steps.c.turn)
        with self._db.read() as conn:
            return tuple(_to_record(row) for row in conn.execute(statement).mappings())

    def change(self, run_id: str, step_id: str, *, count: bool = True, **values: Any) -> None:
        """Set columns of a step and keep the run's count of finished steps right, unless the caller does."""
        with self._db.write() as conn:
            named = {f"new_{name}": value for name, value in values.items()}
            conn.execute(_change(tuple(values)), {"of_run": run_id, "of_step": step_id, **named})
            if count and "state" in values:
                self._count(run_id)

    def _count(self, run_id: str) -> None:
        done = select(func.count()).where(steps.c.run_id == run_id, steps.c.state.in_(("succeeded", "skipped")))
        total = select(func.count()).where(steps.c.run_id == run_id)
        with self._db.write() as conn:
            conn.execute(
                update(runs)
                .where(runs.c.id == run_id)
                .values(steps_done=done.scalar_subquery(), steps_total=total.scalar_subquery())
            )

    def intent(self, step_key: str) -> Intent | None:
        """What is known of a side effect."""
        with self._db.read() as conn:
            row = conn.execute(select(intents).where(intents.c.step_key == step_key)).mappings().first()
        if row is None:
            return None
        return Intent(
            row["step_key"], row["run_id"], row["step_id"], row["kind"], row["digest"], row["state"], row["outputs"]
        )

    def open_intent(self, intent: Intent, now: datetime) -> None:
        """Say that the side effect is about to happen."""
        row = {
            "step_key": intent.step_key,
            "run_id": intent.run_id,
            "step_id": intent.step_id,
            "kind": intent.kind,
            "digest": intent.digest,
            "state": "open",
            "outputs": {},
            "created_at": now,
            "ended_at": None,
        }
        with self._db.write() as conn:
            upsert(conn, intents, row, key=("step_key",), update=("state", "outputs", "ended_at"))

    def close_intent(self, step_key: str, state: IntentState, outputs: Mapping[str, Any], now: datetime) -> None:
        """Say what became of it."""
        with self._db.write() as conn:
            conn.execute(
                _CLOSE, {"of_key": step_key, "new_state": state, "new_outputs": dict(outputs), "new_ended_at": now}
            )

    def release_intents(
        self, run_id: str, step_id: str, *, state: IntentState = "released", outputs: Mapping[str, Any] | None = None
    ) -> None:
        """A person decided: what is open may be done again, or was done."""
        with self._db.write() as conn:
            conn.execute(
                update(intents)
                .where(intents.c.run_id == run_id, intents.c.step_id == step_id, intents.c.state == "open")
                .values(state=state, outputs=dict(outputs or {}))
            )


def _to_row(run_id: str, record: StepRecord) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "id": record.id,
        "position": record.index,
        "turn": record.turn,
        "turn_key": record.key,
        "turn_value": record.value,
        "name": record.name,
        "action": record.action,
        "state": record.state,
        "attempt": record.attempt,
        "deaths": record.deaths,
        "scope": record.scope,
        "inputs": dict(record.inputs),
        "outputs": dict(record.outputs),
        "error": record.error,
        "started_at": record.started_at,
        "ended_at": record.ended_at,
        "undone": int(record.undone),
    }


def _to_record(row: Mapping[Any, Any]) -> StepRecord:
    return StepRecord(
        id=row["id"],
        index=row["position"],
        name=row["name"],
        action=row["action"],
        turn=row["turn"],
        key=row["turn_key"],
        value=row["turn_value"],
        state=row["state"],
        attempt=row["attempt"],
        deaths=row["deaths"],
        scope=row["scope"],
        inputs=row["inputs"] or {},
        outputs=row["outputs"] or {},
        error=row["error"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        undone=bool(row["undone"]),
    )
