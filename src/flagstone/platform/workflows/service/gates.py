"""The step that a run begins with when somebody has to agree to the whole of it. What it does belongs to approvals."""

from __future__ import annotations

from flagstone.contracts.plans import Plan
from flagstone.contracts.runs import RunRequest, StepDefinition

_ACTION = "flagstone:approval"
_BOUND = "planDigest"
_ID = "approval"


def gated(request: RunRequest, plan: Plan) -> RunRequest:
    """The request with a first step that waits for the approvals of its plan; as it is when none are needed."""
    if not plan.approvals:
        return request
    taken = {step.id for step in request.workflow.steps}
    step_id = next(name for name in (_ID, *(f"{_ID}-{number}" for number in range(2, 1000))) if name not in taken)
    step = StepDefinition(id=step_id, name="Wait for approval", action=_ACTION, input={_BOUND: plan.digest})
    steps = (step, *request.workflow.steps)
    return request.model_copy(update={"workflow": request.workflow.model_copy(update={"steps": steps})})


def ungated(request: RunRequest) -> RunRequest:
    """The request without that step: what is planned again."""
    steps = request.workflow.steps
    if not steps or steps[0].action != _ACTION or _BOUND not in steps[0].input:
        return request
    return request.model_copy(update={"workflow": request.workflow.model_copy(update={"steps": steps[1:]})})
