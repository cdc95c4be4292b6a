"""Steps whose outcome nobody knows: a person looks, and says what happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from flagstone.contracts.runs import StepOutcome
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict, Invalid, NotFound, Problem
from flagstone.platform.runs.model import RunRecord, StepRecord
from flagstone.platform.runs.permissions import READ, RESOLVE
from flagstone.platform.runs.service.calling import to_outputs
from flagstone.platform.runs.service.ownership import check_own
from flagstone.platform.runs.service.recording import Recorder
from flagstone.platform.runs.service.registry import ActionRegistry


class ResolveService:
    """Takes the word of a person for what the platform cannot find out."""

    def __init__(self, recorder: Recorder, registry: ActionRegistry, access: AccessService, audit: AuditLog) -> None:
        self._recorder = recorder
        self._registry = registry
        self._access = access
        self._audit = audit
        self.wake: Callable[[], None] = lambda: None
        """Tells the dispatcher of a run that goes on; set by whoever builds the service."""

    def resolve(
        self,
        ref: str,
        step_id: str,
        outcome: StepOutcome,
        actor: Principal,
        *,
        outputs: Mapping[str, Any] | None = None,
    ) -> RunRecord:
        """Say that a step was done, with its outputs, or that it was not and is to be done now. The run goes on.

        Raises NotFound, Denied, Conflict when the outcome of the step is known, Invalid for outputs that the action
        would not give.
        """
        self._access.check(actor, READ)
        recorder = self._recorder
        record = recorder.runs.get(ref)
        step = next((step for step in recorder.steps.of(record.id) if step.id == step_id), None) if record else None
        if record is None or step is None:
            raise NotFound("runs.no_step", f"There is no step {step_id!r} in a run {ref}.")
        check_own(self._access, record, actor, RESOLVE)
        given = self._outputs(step, outputs or {}) if outcome == "done" else {}
        with recorder.db.write():
            if record.state != "unknown" or step.state != "unknown":
                raise Conflict("runs.outcome_known", f"The step {step_id} of run {record.number} is {step.state}.")
            self._settle(record, step, given if outcome == "done" else None, actor)
            detail = {"number": record.number, "step": step_id, "outcome": outcome}
            self._audit.record(actor, RESOLVE, f"run:{record.id}", detail=detail)
            left = any(item.state == "unknown" for item in recorder.steps.of(record.id))
            if not left and recorder.runs.reopen(record.id, ("unknown",), state="queued") is not None:
                recorder.append(record.id, [recorder.run_event("queued", by=actor.name, resolved=step_id)])
                recorder.announce(record, "queued")
                recorder.db.after_commit(self.wake)
        return recorder.runs.get(record.id) or record

    def _settle(self, record: RunRecord, step: StepRecord, given: dict[str, Any] | None, actor: Principal) -> None:
        recorder, now = self._recorder, self._recorder.now()
        if given is None:
            recorder.steps.release_intents(record.id, step.id)
            recorder.steps.change(record.id, step.id, state="pending", error=None, ended_at=None, deaths=0)
            recorder.append(record.id, [recorder.step_event(step, "pending", resolved="not_done", by=actor.name)])
            return
        recorder.steps.release_intents(record.id, step.id, state="done", outputs=given)
        recorder.steps.change(record.id, step.id, state="succeeded", outputs=given, error=None, ended_at=now)
        recorder.append(record.id, [recorder.step_event(step, "succeeded", resolved="done", by=actor.name)])

    def _outputs(self, step: StepRecord, outputs: Mapping[str, Any]) -> dict[str, Any]:
        """What the action would have given; nothing at all is taken, too, when nobody needs it."""
        if not outputs:
            return {}
        action = self._registry.get(step.action)
        try:
            return to_outputs(action, action.Output.model_validate(dict(outputs)))
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False, include_context=False)
            raise Invalid(
                "runs.bad_outputs",
                f"These are no outputs of {action.id}.",
                problems=[
                    Problem(str(fault["msg"]), field=".".join(["outputs", *(str(part) for part in fault["loc"])]))
                    for fault in faults
                ],
            ) from None
