"""The step that tells somebody something."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from flagstone.contracts.actions import ActionExample
from flagstone.contracts.approvals import approver
from flagstone.foundation.notifications.model import MAX_TEXT, MAX_TITLE, Notification
from flagstone.foundation.notifications.service import Notifier
from flagstone.foundation.vault import Masker
from flagstone.kernel.errors import Invalid
from flagstone.sdk import Action, ActionContext, Inputs, Outputs, PlanContext


class Notify(Action):
    """Tells people something: in the portal, by e-mail, or through a channel that the settings name.

    Only people and channels that are known here can be told; a template cannot send mail to any address. Delivery goes
    on in the background and does not hold up the run. Values of the run's secrets are masked.
    """

    id = "flagstone:notify"
    title = "Notify people"
    idempotency = "key"
    without_undo = "What people have read is not taken back."
    examples = (
        ActionExample(
            title="The owner and the chat of the platform team hear of a new service",
            yaml="""
- id: tell
  name: Tell the team
  action: flagstone:notify
  input:
    to: [owner, "channel:platform-chat"]
    title: ${{ parameters.name }} is ready
    text: It was made from the golden path for Python services.
""".strip(),
        ),
    )

    class Input(Inputs):
        """Who is told what."""

        to: list[str] = Field(
            min_length=1,
            max_length=20,
            description="Groups, users, `role:maintainer` (that role or a higher one), `owner` (who owns what the run "
            "acts upon) or `channel:<name>`. `platform` means `group:default/platform`.",
        )
        title: str = Field(min_length=1, max_length=MAX_TITLE, description="One line.")
        text: str = Field("", max_length=MAX_TEXT, description="More of it; plain text.")

        @field_validator("to")
        @classmethod
        def _in_full(cls, value: list[str]) -> list[str]:
            try:
                return [item if item.startswith("channel:") else approver(item) for item in value]
            except Invalid as error:
                raise ValueError(f"{error.message} {error.hint}") from None

    class Output(Outputs):
        """Who is told."""

        to: list[str] = Field(default_factory=list, description="The same refs, in full; `owner` by its ref.")

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs | None:
        """Who would be told."""
        told = self._told(inputs, ctx.owner)
        ctx.change("other", "run", f"Notification to {', '.join(told)}", inputs.title)
        return self.Output(to=told)

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs | None:
        """Store it; a thread of the server sends it."""
        told = self._told(inputs, ctx.owner)
        masker = Masker(ctx.secrets.values())
        notification = Notification(
            "message",
            masker.mask(inputs.title),
            masker.mask(inputs.text),
            f"/runs/{ctx.run_id}",
            to=tuple(told),
            facts=(("From", ctx.actor.name),),
            owner=ctx.owner,
        )
        self._notifier.send(notification, key=ctx.step_key)
        ctx.log(f"Told: {', '.join(told)}.")
        return self.Output(to=told)

    def _told(self, inputs: Any, owner: str | None) -> list[str]:
        named = [ref if ref != "owner" else (owner or "") for ref in inputs.to]
        told = list(dict.fromkeys(ref for ref in named if ref))
        if not told:
            raise Invalid(
                "notifications.nobody",
                "Nobody would be told: nobody is known to own what this run acts upon.",
                hint="Name a group, a user or a channel in the step's 'to'.",
            )
        self._notifier.check(tuple(told))
        return told
