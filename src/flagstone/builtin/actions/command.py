"""``flagstone:command``: a program in the workspace of a run, shut in as far as the system can."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field, field_validator

from flagstone.builtin.actions.describe import example
from flagstone.builtin.actions.paths import clean
from flagstone.builtin.actions.permissions import COMMAND
from flagstone.builtin.actions.settings import ActionsSettings
from flagstone.kernel.errors import Denied, Invalid, Permanent, Problem
from flagstone.sdk import Action, ActionContext, ActionTools, CommandLimits, Inputs, Outputs, PlanContext

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEPT = frozenset({"PATH", "HOME", "TMPDIR"})
_FORBIDDEN = re.compile(r"LD_.*|DYLD_.*|PYTHON(PATH|STARTUP|HOME)|NODE_OPTIONS|BASH_ENV|ENV|IFS")


class RunCommand(Action):
    """Run a program in the workspace: no shell, an environment of its own, limits, and everything it started is killed.

    Where the system allows (Linux with user namespaces) it has no network, sees none of the server's folders and can
    write only into the workspace and a /tmp of its own. Which programs may run, the setting ``actions.commands`` says;
    as long as it is empty, this action is off.
    """

    id = "flagstone:command"
    title = "Run a command"
    permission = COMMAND
    idempotency = "none"
    without_undo = "It cannot be undone: nobody but the program knows what it did."
    examples = (
        example(
            "Format what the skeleton made",
            """
            - id: format
              action: flagstone:command
              input:
                command: [ruff, format, .]
                workingDirectory: src
                timeoutSeconds: 60
            """,
        ),
        example(
            "Hand a secret over by the environment, never as an argument",
            """
            - id: generate
              action: flagstone:command
              input:
                command: [generate-client, --out, client]
                secretEnv: {API_TOKEN: apiToken}
            """,
        ),
    )

    class Input(Inputs):
        """The program and what it gets."""

        command: list[str] = Field(
            min_length=1, max_length=1_000, description="The program and its arguments, one by one; there is no shell."
        )
        working_directory: str = Field(
            "", alias="workingDirectory", description="Folder of the workspace; default: the workspace itself."
        )
        env: dict[str, str] = Field(default_factory=dict, description="Variables of its environment. No secrets here.")
        secret_env: dict[str, str] = Field(
            default_factory=dict,
            alias="secretEnv",
            description="Variables that hold secrets of the run: name of the variable to name of the secret.",
        )
        timeout_seconds: float = Field(300, alias="timeoutSeconds", gt=0, description="Then it is killed.")
        allowed_exit_codes: list[int] = Field(
            default_factory=lambda: [0], alias="allowedExitCodes", description="Others fail the step."
        )

        @field_validator("command")
        @classmethod
        def _a_program(cls, value: list[str]) -> list[str]:
            if not value[0] or "/" in value[0] or value[0].startswith("-") or any("\0" in part for part in value):
                raise ValueError("the first part is the bare name of a program")
            return value

        @field_validator("env", "secret_env")
        @classmethod
        def _names(cls, value: dict[str, str]) -> dict[str, str]:
            for name in value:
                if not _NAME.fullmatch(name) or name in _KEPT or _FORBIDDEN.fullmatch(name):
                    raise ValueError(f"{name} cannot be set")
            return value

    class Output(Outputs):
        """How it ended."""

        exit_code: int = Field(alias="exitCode", description="Its exit code.")
        output: str = Field(description="The end of what it wrote; all of it is in the log.")

    def __init__(self, tools: ActionTools, settings: ActionsSettings) -> None:
        self._tools = tools
        self._settings = settings

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs | None:
        """Says what runs; what it would write cannot be foretold."""
        self._check(inputs)
        ctx.change("other", "run", " ".join(inputs.command)[:300], "runs in the workspace")
        ctx.note(f"What {inputs.command[0]} writes and answers is known only when it runs.")
        isolation = self._tools.isolation()
        if not isolation.complete:
            if self._settings.command_isolation == "required":
                raise Denied(
                    "actions.no_isolation",
                    f"{inputs.command[0]} cannot be shut in on this server: {isolation.missing}",
                    hint="An administrator can allow it with limits only (actions.command_isolation).",
                )
            ctx.note(f"It is not shut in: {isolation.missing} It could read what the server can read.")
        elif self._settings.command_network:
            ctx.note("It reaches the network.")
        return None

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Run it to its end."""
        self._check(inputs)
        missing = [name for name in inputs.secret_env.values() if name not in ctx.secrets]
        if missing:
            raise Invalid(
                "actions.no_secret",
                f"The run has no secret {', '.join(missing)}.",
                problems=[Problem("there is no such secret", field="secretEnv")],
            )
        settings = self._settings
        secrets = {variable: ctx.secrets[name] for variable, name in inputs.secret_env.items()}
        ctx.log("$ " + " ".join(inputs.command)[:2_000])
        ended = self._tools.run_command(
            inputs.command,
            ctx.workspace,
            folder=clean(inputs.working_directory),
            env={**inputs.env, **secrets},
            limits=CommandLimits(
                seconds=min(inputs.timeout_seconds, settings.command_seconds),
                memory=settings.command_memory_bytes,
                output=settings.command_output_bytes,
                processes=settings.command_processes,
                network=settings.command_network,
            ),
            isolated=settings.command_isolation == "required" or self._tools.isolation().complete,
            on_line=lambda text, stream: ctx.log(text, level="info" if stream == "out" else "warn"),
            cancelled=ctx.cancelled,
        )
        if ended.cancelled:
            raise Permanent(
                "actions.command_cancelled", f"{inputs.command[0]} was ended because the run was cancelled."
            )
        if ended.code not in inputs.allowed_exit_codes:
            raise Permanent(
                "actions.command_failed",
                f"{inputs.command[0]} ended with exit code {ended.code}.",
                hint="The log of the step has what it said.",
            )
        return self.Output(exit_code=ended.code, output=_hidden(ended.tail, secrets))

    def _check(self, inputs: Any) -> None:
        allowed = self._settings.commands
        program = inputs.command[0]
        if "*" not in allowed and program not in allowed:
            raise Denied(
                "actions.command_not_allowed",
                f"The program {program} may not be run here.",
                hint=f"An administrator allows programs with actions.commands (now: {', '.join(allowed) or 'none'}).",
            )


def _hidden(text: str, secrets: dict[str, str]) -> str:
    """The run masks its secrets anyway, in more encodings; this keeps them out of the output for whoever calls else."""
    for value in secrets.values():
        text = text.replace(value, "••••••") if value else text
    return text
