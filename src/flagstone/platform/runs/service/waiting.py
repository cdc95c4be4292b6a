"""Steps that wait: they are put away as a row, and woken by an answer of people, by another slice, or by the clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog
from flagstone.kernel.actor import Principal, is_asked
from flagstone.kernel.errors import Conflict, Denied, Invalid, NotFound, Problem
from flagstone.platform.runs.model import RunRecord, Wait
from flagstone.platform.runs.permissions import ANSWER, READ, RETRY
from flagstone.platform.runs.service.recording import Recorder
from flagstone.toolkit.web.forms import answers, check


class WaitService:
    """Wakes waiting steps."""

    def __init__(self, recorder: Recorder, access: AccessService, audit: AuditLog) -> None:
        self._recorder = recorder
        self._access = access
        self._audit = audit
        self.wake: Callable[[], None] = lambda: None
        """Tells the dispatcher of a run that goes on; set by whoever builds the service."""

    def answer(self, ref: str, step_id: str, values: Mapping[str, Any], actor: Principal) -> RunRecord:
        """Answer a step that asked for input.

        Raises NotFound, Denied for somebody who was not asked, Conflict when it does not wait (any more), Invalid for
        an answer that is not what was asked for, with each fault and its field.
        """
        self._access.check(actor, READ)
        record = self._recorder.runs.get(ref)
        wait = self._recorder.waits.of(record.id).get(step_id) if record is not None else None
        if record is None or wait is None or wait.kind != "input":
            raise NotFound("runs.not_asked", f"No step {step_id!r} of run {ref} asks for input.")
        self._check_asked(record, wait, actor)
        given = self._checked(wait, values)
        with self._recorder.db.write():
            detail = {"number": record.number, "step": step_id, "fields": sorted(given)}
            self._audit.record(actor, ANSWER, f"run:{record.id}", detail=detail)
            self.signal(record.id, step_id, {"values": given, "by": actor.id, "by_name": actor.name})
        return self._recorder.runs.get(record.id) or record

    def _check_asked(self, record: RunRecord, wait: Wait, actor: Principal) -> None:
        if not wait.asked:
            mine = actor.id == record.principal.id
            if not (mine and self._access.decide(actor, ANSWER).allowed):
                self._access.check(actor, RETRY, owner=record.owner, resource=f"run:{record.id}")
        elif not is_asked(actor, wait.asked, record.owner):
            raise Denied(
                "runs.not_asked",
                f"The step {wait.step_id} of run {record.number} does not ask you.",
                hint=f"It asks {', '.join(wait.asked)}.",
            )

    @staticmethod
    def _checked(wait: Wait, values: Mapping[str, Any]) -> dict[str, Any]:
        schema = wait.schema if isinstance(wait.schema, dict) else {}
        given = {**values, **answers([schema], values)} if schema else dict(values)
        faults = check(schema, given) if schema else []
        if faults:
            raise Invalid(
                "runs.bad_answer",
                "The answer is not what was asked for.",
                problems=[Problem(fault.message, field=fault.name or None) for fault in faults],
            )
        return given

    def signal(self, run_id: str, step_id: str, answer: Mapping[str, Any]) -> None:
        """Answer a waiting step, for other slices of the platform. Raises Conflict when it does not wait any more."""
        with self._recorder.db.write():
            if not self._recorder.waits.answer(run_id, step_id, answer):
                raise Conflict("runs.not_waiting", f"The step {step_id} does not wait (any more).")
            self._resume(run_id, step_id)

    def wake_due(self) -> int:
        """Wake every step whose time has come; returns how many."""
        due = self._recorder.waits.due(self._recorder.db_now())
        for run_id, step_id in due:
            with self._recorder.db.write():
                if self._recorder.waits.answer(run_id, step_id, None):
                    self._resume(run_id, step_id)
        return len(due)

    def seconds_until_due(self) -> float | None:
        """How long nobody has to be woken; None when nobody waits for a moment."""
        moment = self._recorder.waits.next_due()
        return None if moment is None else max(0.0, (moment - self._recorder.db_now()).total_seconds())

    def _resume(self, run_id: str, step_id: str) -> None:
        """Let the run go on. One whose executor has not put it away yet goes on by itself, see ``Executor.finish``."""
        recorder = self._recorder
        record = recorder.runs.get(run_id)
        if record is None or recorder.runs.reopen(run_id, ("waiting",), state="queued") is None:
            return
        resumed(recorder, record, [step_id])
        recorder.db.after_commit(self.wake)


def resumed(recorder: Recorder, record: RunRecord, step_ids: list[str]) -> None:
    """Write that steps are taken up again, in the current transaction."""
    steps = {step.id: step for step in recorder.steps.of(record.id)}
    for step_id in step_ids:
        recorder.steps.change(record.id, step_id, state="pending")
        recorder.append(record.id, [recorder.step_event(steps[step_id], "pending", resumed=True)])
    recorder.append(record.id, [recorder.run_event("queued", resumed=True)])
    recorder.announce(record, "queued")
