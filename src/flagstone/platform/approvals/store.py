"""The tables of requests, decisions, delegations and the plans they are bound to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from flagstone.contracts.approvals import ApprovalRule, ApprovalState
from flagstone.contracts.plans import Plan
from flagstone.kernel.actor import Principal
from flagstone.platform.approvals.model import ApprovalRecord, Decision, Delegation, asked_refs, refs_of, seat_of
from flagstone.toolkit.db import Database, JsonText, UtcDateTime, hold, insert_ignore

metadata = MetaData()

requests = Table(
    "approvals_requests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("run_number", Integer, nullable=False),
    Column("run_title", Text, nullable=False),
    Column("step_id", Text, nullable=False),
    Column("rule", JsonText, nullable=False),
    Column("plan_digest", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("owner", Text),
    Column("subjects", JsonText, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("requested_by_ref", Text),
    Column("requested_by_name", Text, nullable=False),
    Column("touched", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("decided_at", UtcDateTime),
    Index("approvals_requests_state", "state", "id"),
    Index("approvals_requests_run", "run_id", "step_id"),
    Index("approvals_requests_by", "requested_by", "id"),
)

asked = Table(
    "approvals_asked",
    metadata,
    Column("ref", Text, primary_key=True),
    Column("approval_id", Text, ForeignKey("approvals_requests.id", ondelete="CASCADE"), primary_key=True),
)

decisions = Table(
    "approvals_decisions",
    metadata,
    Column("approval_id", Text, ForeignKey("approvals_requests.id", ondelete="CASCADE"), primary_key=True),
    Column("seat", Text, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("actor_ref", Text),
    Column("actor_name", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("on_behalf_of", Text, nullable=False),
    Index("approvals_decisions_actor", "approval_id", "actor", unique=True),
)

delegations = Table(
    "approvals_delegations",
    metadata,
    Column("approval_id", Text, ForeignKey("approvals_requests.id", ondelete="CASCADE"), primary_key=True),
    Column("seat", Text, primary_key=True),
    Column("to", Text, primary_key=True),
    Column("by_name", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

plans = Table(
    "approvals_plans",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("plan", JsonText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index("approvals_plans_created", "created_at"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters of a list. ``may_decide`` and ``asked_by`` are persons."""

    states: tuple[ApprovalState, ...] = ()
    may_decide: Principal | None = None
    asked_by: Principal | None = None
    run_id: str | None = None


class ApprovalStore:
    """Methods that change something join the current transaction."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def add(self, record: ApprovalRecord, plan: Plan | None) -> None:
        """Store a new request with the plan it is bound to."""
        row = asdict(record)
        row |= {"rule": record.rule.model_dump(mode="json"), "subjects": list(record.subjects), "touched": 0}
        row = {name: value for name, value in row.items() if name in requests.c}
        named = asked_refs(record.rule, record.owner)
        with self.db.write() as conn:
            conn.execute(insert(requests), row)
            conn.execute(insert(asked), [{"ref": ref, "approval_id": record.id} for ref in named])
            if plan is not None:
                kept = {"digest": plan.digest, "plan": plan.model_dump(mode="json"), "created_at": record.created_at}
                insert_ignore(conn, plans, kept, key=["digest"])

    def get(self, approval_id: str) -> ApprovalRecord | None:
        """One request."""
        return next(iter(self.several([approval_id])), None)

    def several(self, ids: Sequence[str]) -> tuple[ApprovalRecord, ...]:
        """Those of them that exist, oldest first."""
        return self._select(requests.c.id.in_(ids), newest=False) if ids else ()

    def of_run(self, run_id: str, step_id: str | None = None, *, pending: bool = False) -> tuple[ApprovalRecord, ...]:
        """What the steps of a run (or one of them) asked for, oldest first."""
        where = [requests.c.run_id == run_id]
        if step_id is not None:
            where.append(requests.c.step_id == step_id)
        if pending:
            where.append(requests.c.state == "pending")
        return self._select(*where, newest=False)

    def asking(self, run_ids: Collection[str]) -> set[str]:
        """Those of some runs that have ever asked for an approval."""
        if not run_ids:
            return set()
        with self.db.read() as conn:
            return set(conn.execute(select(requests.c.run_id).where(requests.c.run_id.in_(run_ids))).scalars())

    def page(self, wanted: Wanted, now: datetime, before: str | None, limit: int) -> tuple[ApprovalRecord, ...]:
        """Newest first."""
        where = self._where(wanted, now)
        if before is not None:
            where.append(requests.c.id < before)
        return self._select(*where, newest=True, limit=limit)

    def count(self, wanted: Wanted, now: datetime) -> int:
        """How many there are."""
        with self.db.read() as conn:
            found = conn.execute(select(func.count()).select_from(requests).where(*self._where(wanted, now)))
            return int(found.scalar_one())

    def runs_with_pending(self) -> list[str]:
        """Runs that wait for somebody."""
        with self.db.read() as conn:
            return list(
                conn.execute(select(requests.c.run_id).where(requests.c.state == "pending").distinct()).scalars()
            )

    def hold(self, approval_id: str, now: datetime) -> bool:
        """Keep others from deciding it until the transaction ends; False when it is not pending any more."""
        where = (requests.c.id == approval_id, requests.c.state == "pending", requests.c.expires_at > now)
        with self.db.write() as conn:
            return hold(conn, requests.c.touched, *where)

    def turn(self, ids: Iterable[str], old: ApprovalState, new: ApprovalState, at: datetime) -> int:
        """Bring requests from one state to another; returns how many were still in the old one."""
        named = list(ids)
        if not named:
            return 0
        where = (requests.c.id.in_(named), requests.c.state == old)
        with self.db.write() as conn:
            return conn.execute(update(requests).where(*where).values(state=new, decided_at=at)).rowcount

    def decide(self, approval_id: str, decision: Decision) -> None:
        """Write down what somebody said."""
        with self.db.write() as conn:
            conn.execute(insert(decisions), {"approval_id": approval_id, **asdict(decision)})

    def delegate(self, approval_id: str, delegation: Delegation) -> bool:
        """Let somebody else decide; False when that was so before."""
        row = {"approval_id": approval_id, **asdict(delegation)}
        with self.db.write() as conn:
            new = insert_ignore(conn, delegations, row, key=["approval_id", "seat", "to"]) > 0
            insert_ignore(conn, asked, {"ref": delegation.to, "approval_id": approval_id}, key=["ref", "approval_id"])
            return new

    def plan(self, digest: str) -> Plan | None:
        """A plan that a request was bound to."""
        with self.db.read() as conn:
            found = conn.execute(select(plans.c.plan).where(plans.c.digest == digest)).scalar()
        return Plan.model_validate(found) if found is not None else None

    def prune_plans(self, older_than: datetime) -> int:
        """Delete plans that nothing waits for; returns how many."""
        waiting = exists().where(requests.c.plan_digest == plans.c.digest, requests.c.state == "pending")
        with self.db.write() as conn:
            return conn.execute(delete(plans).where(plans.c.created_at < older_than, ~waiting)).rowcount

    def _where(self, wanted: Wanted, now: datetime) -> list[ColumnElement[bool]]:
        where: list[ColumnElement[bool]] = []
        if wanted.run_id is not None:
            where.append(requests.c.run_id == wanted.run_id)
        if wanted.states:
            where.append(or_(*(_in_state(state, now) for state in wanted.states)))
        if wanted.asked_by is not None:
            where.append(_asked_by(wanted.asked_by))
        if wanted.may_decide is not None:
            where += _decidable(wanted.may_decide, now)
        return where

    def _select(
        self, *where: ColumnElement[bool], newest: bool, limit: int | None = None
    ) -> tuple[ApprovalRecord, ...]:
        order = requests.c.id.desc() if newest else requests.c.id
        with self.db.read() as conn:
            rows = conn.execute(select(requests).where(*where).order_by(order).limit(limit)).mappings().all()
            ids = [row["id"] for row in rows]
            said = conn.execute(select(decisions).where(decisions.c.approval_id.in_(ids)).order_by(decisions.c.at))
            said_rows = said.mappings().all()
            given = conn.execute(select(delegations).where(delegations.c.approval_id.in_(ids)))
            given_rows = given.mappings().all()
        return tuple(_record(row, said_rows, given_rows) for row in rows)


def _in_state(state: ApprovalState, now: datetime) -> ColumnElement[bool]:
    if state == "pending":
        return (requests.c.state == "pending") & (requests.c.expires_at > now)
    if state == "expired":
        return (requests.c.state == "expired") | ((requests.c.state == "pending") & (requests.c.expires_at <= now))
    return requests.c.state == state


def _asked_by(person: Principal) -> ColumnElement[bool]:
    mine = requests.c.requested_by == person.id
    return mine if person.entity_ref is None else mine | (requests.c.requested_by_ref == person.entity_ref.lower())


def _decidable(person: Principal, now: datetime) -> list[ColumnElement[bool]]:
    """The rules of ``model.standing``, for many rows; whether a place is taken is said by the one row."""
    own = (decisions.c.actor == person.id) | (decisions.c.seat == seat_of(person))
    if person.entity_ref is not None:
        own = own | (decisions.c.actor_ref == person.entity_ref.lower())
    return [
        _in_state("pending", now),
        exists().where(asked.c.approval_id == requests.c.id, asked.c.ref.in_(refs_of(person))),
        ~exists().where(decisions.c.approval_id == requests.c.id, own),
        # A comparison with NULL is neither true nor false: who asked without a User is told apart by the account.
        requests.c.requested_by != person.id,
        or_(requests.c.requested_by_ref.is_(None), requests.c.requested_by_ref != (person.entity_ref or "").lower()),
    ]


def _record(
    row: Mapping[Any, Any], said: Sequence[Mapping[Any, Any]], given: Sequence[Mapping[Any, Any]]
) -> ApprovalRecord:
    values = {name: value for name, value in row.items() if name != "touched"}
    values |= {"rule": ApprovalRule.model_validate(row["rule"]), "subjects": tuple(row["subjects"])}
    return ApprovalRecord(
        **values,
        decisions=tuple(Decision(**_without_id(item)) for item in said if item["approval_id"] == row["id"]),
        delegations=tuple(Delegation(**_without_id(item)) for item in given if item["approval_id"] == row["id"]),
    )


def _without_id(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row.items() if name != "approval_id"}
