"""The step that waits for an approval: in a template, or before a whole run."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from flagstone.contracts.actions import ActionExample
from flagstone.contracts.approvals import ApprovalRule, approver
from flagstone.kernel.errors import Invalid
from flagstone.platform.approvals.service import Desk, Step, Subject
from flagstone.platform.runs import START
from flagstone.sdk import Action, ActionContext, Inputs, Outputs, PlanContext


class WaitForApproval(Action):
    """Waits until enough people agree, and fails when one of them rejects it or nobody decides in time.

    Who started the run cannot approve it. Waiting costs no worker: the run goes on by itself when it is decided. With
    ``spec.approvals`` a template asks for the approval of the whole run before its first step, bound to its plan.
    """

    id = "flagstone:approval"
    title = "Wait for approval"
    permission = START
    idempotency = "natural"
    without_undo = "What people decided is not taken back."
    examples = (
        ActionExample(
            title="Two of the platform team agree before production is touched",
            yaml="""
- id: agree
  name: Two of the platform team agree
  action: flagstone:approval
  input:
    approvers: [group:default/platform-engineering]
    count: 2
    message: Deploys ${{ parameters.name }} to production.
    expiresHours: 24
""".strip(),
        ),
    )

    class Input(Inputs):
        """Who is asked for what."""

        approvers: list[str] = Field(
            default_factory=list,
            max_length=20,
            description="Groups, users, `role:maintainer` (that role or a higher one) or `owner` (who owns what the "
            "run acts upon). `platform` means `group:default/platform`.",
        )
        count: int = Field(1, ge=1, le=20, description="How many different people have to agree.")
        message: str = Field("", max_length=2_000, description="What they are asked, for people to read.")
        expires_hours: float = Field(
            72, gt=0, le=24 * 90, alias="expiresHours", description="The step fails when nobody decided for so long."
        )
        plan_digest: str = Field(
            "",
            alias="planDigest",
            max_length=100,
            description="Set by the platform on the step that it puts before a run: the rules are those of the plan.",
        )

        @field_validator("approvers")
        @classmethod
        def _in_full(cls, value: list[str]) -> list[str]:
            try:
                return [approver(item) for item in value]
            except Invalid as error:
                raise ValueError(f"{error.message} {error.hint}") from None

    class Output(Outputs):
        """Who agreed."""

        state: str = Field("approved", description="`approved`, or `not needed` when nobody has to agree any more.")
        approved_by: list[str] = Field(default_factory=list, alias="approvedBy", description="Names of who agreed.")
        comments: list[str] = Field(default_factory=list, description="What they wrote.")
        approval_ids: list[str] = Field(default_factory=list, alias="approvalIds", description="Ids of the requests.")

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs | None:
        """Who would be asked."""
        _rule(inputs, ctx.owner)
        people = ", ".join(inputs.approvers)
        ctx.change(
            "other",
            "run",
            f"Approval of {people}",
            inputs.message,
            Needed=f"{inputs.count} {'person' if inputs.count == 1 else 'people'}",
            Within=f"{inputs.expires_hours:g} hours",
        )
        return self.Output()

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs | None:
        """Ask, or go on when it is decided."""
        step = Step(ctx.run_id, ctx.step_id, ctx.actor, ctx.owner)

        def subject() -> Subject:
            if inputs.plan_digest:
                return self._desk.whole_run(step)
            return Subject((_rule(inputs, ctx.owner),), inputs.message)

        found = self._desk.pass_through(step, list(ctx.memory.get("approvals", ())), subject, ctx.log)
        said = [item for record in found for item in record.decisions if item.verdict == "approve"]
        names = list(dict.fromkeys(item.actor_name for item in said))
        ctx.log(f"Approved by {', '.join(names)}." if names else "Nobody has to agree any more.")
        return self.Output(
            state="approved" if found else "not needed",
            approved_by=names,
            comments=[item.comment for item in said if item.comment],
            approval_ids=[record.id for record in found],
        )


def _rule(inputs: Any, owner: str | None) -> ApprovalRule:
    """The rule of a step in a template. Raises Invalid when nobody is asked."""
    named = [ref for ref in inputs.approvers if ref != "owner" or owner]
    if not named:
        why = "nobody is known to own what this run acts upon" if inputs.approvers else "it names no approvers"
        raise Invalid(
            "approvals.nobody_asked",
            f"Nobody could approve this: {why}.",
            hint="Name a group, a user or a role in the step's approvers.",
        )
    return ApprovalRule(of=tuple(inputs.approvers), count=inputs.count, expires_hours=inputs.expires_hours)
