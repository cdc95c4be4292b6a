"""Asking: what a step that needs an approval does, each time it is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flagstone.contracts.approvals import ApprovalRule
from flagstone.contracts.plans import Plan
from flagstone.foundation.audit import AuditLog
from flagstone.foundation.events import EventLog
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import iso, utc_now
from flagstone.kernel.errors import Denied
from flagstone.kernel.ids import new_id
from flagstone.platform.approvals.model import ApprovalRecord
from flagstone.platform.approvals.store import ApprovalStore
from flagstone.platform.runs import RunService
from flagstone.platform.workflows import WorkflowService
from flagstone.sdk import Waiting


@dataclass(frozen=True, slots=True)
class Step:
    """Which step asks, and for whom it acts."""

    run_id: str
    step_id: str
    actor: Principal
    owner: str | None


@dataclass(frozen=True, slots=True)
class Subject:
    """What has to be approved: by whom, and the plan that the answer is bound to."""

    rules: tuple[ApprovalRule, ...]
    message: str = ""
    plan: Plan | None = None

    @property
    def digest(self) -> str:
        """Of the plan; "" when there is none."""
        return self.plan.digest if self.plan is not None else ""


class Desk:
    """Asks, and says when a step may pass."""

    def __init__(
        self,
        store: ApprovalStore,
        runs: RunService,
        workflows: WorkflowService,
        *,
        audit: AuditLog,
        events: EventLog,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._runs = runs
        self._workflows = workflows
        self._audit = audit
        self._events = events
        self._now = now

    def whole_run(self, step: Step) -> Subject:
        """All of a run, as it would be now. Raises Denied when it must or can not be done any more."""
        plan = self._workflows.plan_of_run(step.run_id)
        faults = [*plan.problems, *(item.message for item in plan.verdicts if item.severity == "deny")]
        if faults:
            raise Denied(
                "approvals.not_possible_any_more",
                f"What was to be approved cannot be done any more: {faults[0]}",
                hint="Start it again when that is mended.",
            )
        return Subject(plan.approvals, "", plan)

    def pass_through(
        self, step: Step, known: Sequence[str], subject: Callable[[], Subject], log: Callable[[str], None]
    ) -> tuple[ApprovalRecord, ...]:
        """The requests that were approved; ``known`` are the ids of those that the step made before.

        Raises Waiting while somebody has to decide, Denied when it was rejected or nobody decided in time.
        """
        now = self._now()
        records = self._store.several(known) if known else self._store.of_run(step.run_id, step.step_id, pending=True)
        self._refuse_ended(records, now)
        open_ones = [record for record in records if record.state == "pending"]
        settled = all(record.state == "approved" for record in records)
        if open_ones and all(record.state in ("pending", "approved") for record in records):
            raise self._waiting(records)
        wanted = subject()
        if not wanted.rules:
            return ()
        if records and settled and all(record.plan_digest == wanted.digest for record in records):
            return records
        if records:
            log("What was to be approved has changed, so it is asked for again.")
        raise self._waiting(self._ask(step, wanted, records, now))

    def _refuse_ended(self, records: Sequence[ApprovalRecord], now: datetime) -> None:
        overdue = [record.id for record in records if record.state_at(now) == "expired"]
        self._store.turn(overdue, "pending", "expired", now)
        bad = next((record for record in records if record.state_at(now) in ("rejected", "expired")), None)
        if bad is None:
            return
        self._store.turn([record.id for record in records if record.id != bad.id], "pending", "void", now)
        if bad.state == "rejected":
            said = next(item for item in bad.decisions if item.verdict == "reject")
            why = f": {said.comment}" if said.comment else "."
            raise Denied(
                "approvals.rejected",
                f"{said.actor_name} rejected it{why}",
                hint="Talk to them; a retry of the run asks again.",
            )
        raise Denied(
            "approvals.expired",
            f"Nobody decided in time: {bad.approvals} of {bad.rule.count} agreed within {bad.rule.expires_hours:g} h.",
            hint="A retry of the run asks again.",
        )

    def _ask(
        self, step: Step, subject: Subject, old: Sequence[ApprovalRecord], now: datetime
    ) -> tuple[ApprovalRecord, ...]:
        run = self._runs.get(step.run_id, step.actor)
        made = [
            ApprovalRecord(
                id=new_id(),
                state="pending",
                run_id=run.id,
                run_number=run.number,
                run_title=run.title,
                step_id=step.step_id,
                rule=rule,
                plan_digest=subject.digest,
                message=subject.message,
                owner=step.owner,
                subjects=run.subjects,
                requested_by=step.actor.id,
                requested_by_ref=step.actor.entity_ref.lower() if step.actor.entity_ref else None,
                requested_by_name=step.actor.name,
                created_at=now,
                expires_at=now + timedelta(hours=rule.expires_hours),
            )
            for rule in subject.rules
        ]
        with self._store.db.write():
            for state in ("pending", "approved"):
                self._store.turn([record.id for record in old], state, "void", now)
            for record in made:
                self._store.add(record, subject.plan)
                detail = {"run": run.number, "of": list(record.rule.of), "count": record.rule.count}
                self._audit.record(step.actor, "approvals.request.ask", f"approval:{record.id}", detail=detail)
                data = {
                    "run": run.id,
                    "number": run.number,
                    "title": run.title,
                    "of": list(record.rule.of),
                    "owner": record.owner,
                    "by_name": record.requested_by_name,
                    "message": record.message or record.rule.reason,
                    "expires_at": iso(now + timedelta(hours=record.rule.expires_hours)),
                }
                self._events.publish("approval.requested", record.id, data, actor=step.actor.id)
        return tuple(made)

    def _waiting(self, records: Sequence[ApprovalRecord]) -> Waiting:
        waiting = [record for record in records if record.state == "pending"]
        return Waiting(
            "approval",
            _sentence(waiting),
            until=min(record.expires_at for record in waiting),
            asked=tuple(dict.fromkeys(ref for record in waiting for ref in record.rule.of)),
            approval_id=waiting[0].id,
            data={"approvals": [record.id for record in records]},
        )


def _sentence(records: Iterable[ApprovalRecord]) -> str:
    parts = []
    for record in records:
        people = ", ".join(record.rule.of)
        many = f"{record.rule.count} of {people}" if record.rule.count > 1 else people
        parts.append(f"{many} ({record.rule.reason})" if record.rule.reason else many)
    return f"Waits for the approval of {'; and of '.join(parts)}."
