"""Rows of runs: create, find, list, and change of state under a fence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, case, func, or_, select, update

from flagstone.contracts.gateway import RunQuery
from flagstone.contracts.runs import WorkflowDefinition
from flagstone.kernel.actor import principal_from_dict, principal_to_dict
from flagstone.kernel.errors import Conflict
from flagstone.kernel.paging import Page, clamp_limit, decode_cursor, encode_cursor
from flagstone.platform.runs.model import Dispatch, RunRecord
from flagstone.platform.runs.store.tables import counters, runs, steps, subjects
from flagstone.toolkit.db import Database, insert_ignore

_COUNTER = "number"


class RunStore:
    """Runs without their steps and events. Methods that change something join the current transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def insert(self, record: RunRecord, *, idempotency_key: str | None, request_digest: str) -> RunRecord | None:
        """Store a new run and give it its number. None when the actor used this idempotency key before."""
        with self._db.write() as conn:
            number = self._next_number(conn)
            row = {
                "id": record.id,
                "number": number,
                "title": record.title,
                "workflow_name": record.workflow.name,
                "template_ref": record.workflow.template_ref,
                "workflow": record.workflow.model_dump(mode="json"),
                "inputs": dict(record.inputs),
                "secrets": list(record.secrets),
                "state": record.state,
                "actor": record.principal.id,
                "actor_name": record.principal.name,
                "actor_ref": record.principal.entity_ref or "",
                "principal": principal_to_dict(record.principal),
                "owner": record.owner,
                "output": {},
                "steps_total": record.steps_total,
                "steps_done": 0,
                "dispatch": record.dispatch,
                "fence": 0,
                "last_seq": 0,
                "trigger": record.trigger,
                "triggered_by": record.triggered_by,
                "rerun_of": record.rerun_of,
                "idempotency_key": idempotency_key,
                "request_digest": request_digest,
                "tidied": 0,
                "place": record.place,
                "created_at": record.created_at,
            }
            if not insert_ignore(conn, runs, row, key=("actor", "idempotency_key")):
                return None
            self.add_subjects(record.id, record.subjects)
        return self.get(record.id)

    def _next_number(self, conn: Connection) -> int:
        grow = (
            update(counters)
            .where(counters.c.name == _COUNTER)
            .values(value=counters.c.value + 1)
            .returning(counters.c.value)
        )
        value = conn.execute(grow).scalar()
        if value is None:
            insert_ignore(conn, counters, {"name": _COUNTER, "value": 0}, key=("name",))
            value = conn.execute(grow).scalar_one()
        return int(value)

    def by_key(self, actor: str, idempotency_key: str) -> tuple[RunRecord, str] | None:
        """The run that an actor started with this key, and the digest of what was asked for."""
        statement = select(runs).where(runs.c.actor == actor, runs.c.idempotency_key == idempotency_key)
        with self._db.read() as conn:
            row = conn.execute(statement).mappings().first()
            return (self._record(conn, row), str(row["request_digest"])) if row is not None else None

    def get(self, ref: str) -> RunRecord | None:
        """A run by id, or by number."""
        number = int(ref) if ref.isascii() and ref.isdigit() and len(ref) < 10 else None
        wanted = runs.c.number == number if number is not None else runs.c.id == ref
        with self._db.read() as conn:
            row = conn.execute(select(runs).where(wanted)).mappings().first()
            return self._record(conn, row) if row is not None else None

    def holder(self, run_id: str) -> tuple[str, int] | None:
        """(state, fence): whether the run is still in somebody's hands, and wanted."""
        with self._db.read() as conn:
            row = conn.execute(select(runs.c.state, runs.c.fence).where(runs.c.id == run_id)).first()
        return (row.state, row.fence) if row is not None else None

    def progress_of(self, run_ids: Sequence[str]) -> dict[str, tuple[str, int]]:
        """(state, sequence number of the newest event) by id: cheap, for those who look again and again."""
        with self._db.read() as conn:
            wanted = select(runs.c.id, runs.c.state, runs.c.last_seq).where(runs.c.id.in_(run_ids))
            return {row.id: (row.state, row.last_seq) for row in conn.execute(wanted)}

    def states_of(self, run_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """(state, what its error says) of many runs at once."""
        with self._db.read() as conn:
            wanted = select(runs.c.id, runs.c.state, runs.c.error).where(runs.c.id.in_(run_ids))
            return {row.id: (row.state, str((row.error or {}).get("detail", ""))) for row in conn.execute(wanted)}

    def page(self, query: RunQuery) -> Page[RunRecord]:
        """A page, newest first unless it asks for another order: those go on by ``offset``, not by a cursor."""
        limit = clamp_limit(query.limit)
        statement = _ordered(_filtered(select(runs), query), query).offset(query.offset).limit(limit + 1)
        with self._db.read() as conn:
            rows = conn.execute(statement).mappings().all()
            found = self._subjects(conn, [row["id"] for row in rows])
            total = conn.execute(_filtered(select(func.count()), query)).scalar_one() if query.count else None
        records = tuple(_to_record(row, found.get(row["id"], ())) for row in rows[:limit])
        by_number = query.order == "number" and not query.ascending
        cursor = encode_cursor(records[-1].number) if by_number and len(rows) > limit else None
        return Page(records, cursor, total)

    def counts(self) -> dict[str, int]:
        """How many runs there are in each state."""
        with self._db.read() as conn:
            rows = conn.execute(select(runs.c.state, func.count()).group_by(runs.c.state)).all()
        return {state: count for state, count in rows}  # noqa: C416  rows are not tuples for mypy

    def dispatches(self, *states: str, limit: int = 1000) -> list[Dispatch]:
        """The runs in some states, oldest first."""
        wanted = select(runs.c.id, runs.c.dispatch, runs.c.place).where(runs.c.state.in_(states))
        statement = wanted.order_by(runs.c.number).limit(limit)
        with self._db.read() as conn:
            return [Dispatch(row.id, row.dispatch, row.place) for row in conn.execute(statement)]

    def begin(self, run_id: str, dispatch: int, now: datetime, worker: str = "") -> RunRecord | None:
        """A worker takes the run, with a new fence. None when it is over, or has another execution by now."""
        at_work = runs.c.state.in_(("queued", "running", "cancelling"))
        statement = (
            update(runs)
            .where(runs.c.id == run_id, runs.c.dispatch == dispatch, at_work)
            .values(
                fence=runs.c.fence + 1,
                worker=worker,
                state=case((runs.c.state == "queued", "running"), else_=runs.c.state),
                started_at=func.coalesce(runs.c.started_at, now),
            )
        )
        with self._db.write() as conn:
            return self.get(run_id) if conn.execute(statement).rowcount else None

    def change(
        self, run_id: str, values: Mapping[str, Any], *, fence: int | None = None, states: Sequence[str] = ()
    ) -> bool:
        """Set columns, if the fence and the state still are as expected. With a stale fence raises Conflict."""
        statement = update(runs).where(runs.c.id == run_id)
        if states:
            statement = statement.where(runs.c.state.in_(states))
        if fence is not None:
            statement = statement.where(runs.c.fence == fence)
        with self._db.write() as conn:
            changed = conn.execute(statement.values(**values)).rowcount
        if fence is not None and not changed and not states:
            raise Conflict("runs.fenced", f"Run {run_id} was taken over by another executor.")
        return bool(changed)

    def of_worker(self, worker: str) -> list[RunRecord]:
        """The runs at work that a worker has."""
        at_work = runs.c.state.in_(("running", "cancelling"))
        statement = select(runs).where(runs.c.worker == worker, at_work).order_by(runs.c.number)
        with self._db.read() as conn:
            return [_to_record(row, ()) for row in conn.execute(statement).mappings()]

    def reopen(
        self, run_id: str, states: Sequence[str], *, state: str | None, dispatch: int | None = None
    ) -> int | None:
        """Give the run a new execution; returns its number, or None when the run is in no such state.

        ``state`` is what it becomes; with None it stays what it is. With ``dispatch`` only that execution is replaced.
        """
        values: dict[str, Any] = {"dispatch": runs.c.dispatch + 1, "fence": runs.c.fence + 1}
        values |= {"error": None, "ended_at": None, "tidied": 0}
        if state is not None:
            values["state"] = state
        wanted = update(runs).where(runs.c.id == run_id, runs.c.state.in_(states))
        if dispatch is not None:
            wanted = wanted.where(runs.c.dispatch == dispatch)
        statement = wanted.values(**values).returning(runs.c.dispatch)
        with self._db.write() as conn:
            made = conn.execute(statement).scalar()
        return int(made) if made is not None else None

    def add_subjects(self, run_id: str, refs: Sequence[str]) -> None:
        """Note entity refs that the run is about."""
        wanted = sorted({ref for ref in refs if ref})
        if not wanted:
            return
        with self._db.write() as conn:
            number = conn.execute(select(runs.c.number).where(runs.c.id == run_id)).scalar_one()
            rows = [{"run_id": run_id, "subject": ref, "number": number} for ref in wanted]
            insert_ignore(conn, subjects, rows, key=("run_id", "subject"))

    def untidied(self, ended_before: datetime, *, level: int = 0, limit: int = 100) -> list[RunRecord]:
        """Runs that ended before a moment and still have a workspace (level 0), or a log (level 1)."""
        statement = select(runs).where(runs.c.tidied == level, runs.c.ended_at < ended_before).limit(limit)
        with self._db.read() as conn:
            return [_to_record(row, ()) for row in conn.execute(statement).mappings()]

    def _record(self, conn: Connection, row: Mapping[Any, Any]) -> RunRecord:
        return _to_record(row, self._subjects(conn, [row["id"]]).get(row["id"], ()))

    def _subjects(self, conn: Connection, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        if not ids:
            return {}
        statement = select(subjects.c.run_id, subjects.c.subject).where(subjects.c.run_id.in_(ids))
        found: dict[str, list[str]] = {}
        for run_id, subject in conn.execute(statement.order_by(subjects.c.subject)):
            found.setdefault(run_id, []).append(subject)
        return {run_id: tuple(items) for run_id, items in found.items()}


def _ordered(statement: Select[Any], query: RunQuery) -> Select[Any]:
    column = runs.c[query.order]
    return statement.order_by(column if query.ascending else column.desc(), runs.c.number.desc())


def _filtered(statement: Select[Any], query: RunQuery) -> Select[Any]:
    statement = statement.select_from(runs)
    if query.actor_refs:
        statement = statement.where(runs.c.actor_ref.in_(query.actor_refs))
    if query.state:
        statement = statement.where(runs.c.state.in_(query.state))
    for name in ("actor", "owner", "template_ref", "trigger", "triggered_by"):
        if value := getattr(query, name):
            statement = statement.where(runs.c[name] == value)
    if query.since:
        statement = statement.where(runs.c.created_at >= query.since)
    if query.until:
        statement = statement.where(runs.c.created_at < query.until)
    statement = _about(statement, query)
    if query.cursor:
        values = decode_cursor(query.cursor)
        statement = statement.where(runs.c.number < values[0] if values else runs.c.number < 0)
    return statement


def _about(statement: Select[Any], query: RunQuery) -> Select[Any]:
    if query.subject:
        about = select(subjects.c.run_id).where(subjects.c.subject == query.subject)
        statement = statement.where(runs.c.id.in_(about))
    if query.action:
        with_action = select(steps.c.run_id).where(steps.c.action == query.action)
        statement = statement.where(runs.c.id.in_(with_action))
    if query.text:
        text = query.text.strip().lstrip("#")
        matches = [runs.c.title.icontains(text, autoescape=True), runs.c.actor_name.icontains(text, autoescape=True)]
        if text.isascii() and text.isdigit() and len(text) < 10:
            matches.append(runs.c.number == int(text))
        statement = statement.where(or_(*matches))
    return statement


def _to_record(row: Mapping[Any, Any], about: tuple[str, ...]) -> RunRecord:
    return RunRecord(
        id=row["id"],
        number=row["number"],
        title=row["title"],
        workflow=WorkflowDefinition.model_validate(row["workflow"]),
        inputs=row["inputs"],
        secrets=tuple(row["secrets"]),
        state=row["state"],
        principal=principal_from_dict(row["principal"]),
        owner=row["owner"],
        error=row["error"],
        output=row["output"] or {},
        steps_total=row["steps_total"],
        steps_done=row["steps_done"],
        dispatch=row["dispatch"],
        fence=row["fence"],
        last_seq=row["last_seq"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        subjects=about,
        trigger=row["trigger"],
        triggered_by=row["triggered_by"],
        rerun_of=row["rerun_of"],
        undo=bool(row["undo"]),
        worker=row["worker"],
        place=row["place"],
        log_bytes=row["log_bytes"],
    )
