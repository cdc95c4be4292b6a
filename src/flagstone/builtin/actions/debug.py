"""``debug:log`` and ``debug:wait``."""

from __future__ import annotations

import time
from typing import Any, Literal

from pydantic import Field, model_validator

from flagstone.builtin.actions.describe import READS_ONLY, example
from flagstone.sdk import Action, ActionContext, Files, Inputs, Outputs, PlanContext

_LONGEST = 600.0
_MAX_SHOWN = 20_000
_LOOK = 0.05


class DebugLog(Action):
    """Write a message, and if asked the files of the workspace, into the log of the run."""

    id = "debug:log"
    title = "Write to the log"
    idempotency = "natural"
    without_undo = READS_ONLY
    examples = (
        example(
            "Say something, and list what the steps before have made",
            """
            - id: look
              action: debug:log
              input:
                message: "Made ${{ parameters.name }}"
                listWorkspace: with-filenames
            """,
        ),
    )

    class Input(Inputs):
        """What to write."""

        message: str = Field("", description="The text.")
        list_workspace: bool | Literal["with-filenames", "with-contents"] = Field(
            False,
            alias="listWorkspace",
            description="Also list the files of the workspace; with-contents shows what is in them, too.",
        )

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """Changes nothing."""
        ctx.change("other", "none", inputs.message[:200] or "the workspace", "is written to the log")
        return self.Output()

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Write."""
        if inputs.message:
            ctx.log(inputs.message)
        if inputs.list_workspace:
            _list(ctx, ctx.workspace, contents=inputs.list_workspace == "with-contents")
        return self.Output()


def _list(ctx: ActionContext, workspace: Files, *, contents: bool) -> None:
    ctx.log("Workspace:")
    for entry in workspace.walk():
        if entry.is_dir:
            continue
        ctx.log(f"  - {entry.path} ({entry.size} bytes)")
        if contents:
            data = workspace.read_bytes(entry.path)
            text = "(binary)" if b"\0" in data else data[:_MAX_SHOWN].decode("utf-8", "replace")
            ctx.log(text)


class DebugWait(Action):
    """Wait; for trying out and for things that need a moment."""

    id = "debug:wait"
    title = "Wait"
    idempotency = "natural"
    without_undo = READS_ONLY
    examples = (
        example(
            "Give another system half a minute",
            """
            - id: wait
              action: debug:wait
              input: {seconds: 30}
            """,
        ),
    )

    class Input(Inputs):
        """How long, all parts together at most ten minutes."""

        minutes: float = Field(0, ge=0, description="Minutes; the parts are added up.")
        seconds: float = Field(0, ge=0, description="Seconds; the parts are added up.")
        milliseconds: float = Field(0, ge=0, description="Milliseconds; the parts are added up.")

        @model_validator(mode="after")
        def _not_too_long(self) -> DebugWait.Input:
            if self.total > _LONGEST:
                raise ValueError(f"the wait is longer than {_LONGEST / 60:g} minutes")
            return self

        @property
        def total(self) -> float:
            """In seconds; 3 when nothing was said."""
            asked = self.minutes * 60 + self.seconds + self.milliseconds / 1000
            return asked if self.model_fields_set else 3.0

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """Changes nothing."""
        ctx.change("other", "none", f"{inputs.total:g} seconds", "are waited")
        return self.Output()

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Wait, unless the run is cancelled."""
        ctx.log(f"Waiting for {inputs.total:g} seconds.")
        until = time.monotonic() + inputs.total
        while (left := until - time.monotonic()) > 0 and not ctx.cancelled():
            time.sleep(min(left, _LOOK))
        return self.Output()


class Sleep(DebugWait):
    """Wait for some seconds."""

    id = "roadiehq:utils:sleep"
    title = "Wait for seconds"
    examples = (
        example(
            "Give another system ten seconds",
            """
            - id: wait
              action: roadiehq:utils:sleep
              input: {amount: 10}
            """,
        ),
    )

    class Input(Inputs):
        """How long."""

        amount: float = Field(ge=0, le=_LONGEST, description="Seconds, at most ten minutes.")

        @property
        def total(self) -> float:
            """In seconds."""
            return self.amount
