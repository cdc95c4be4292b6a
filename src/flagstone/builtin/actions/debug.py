"""``debug:log``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from flagstone.builtin.actions.describe import READS_ONLY, example
from flagstone.sdk import Action, ActionContext, Files, Inputs, Outputs, PlanContext

_MAX_SHOWN = 20_000


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
