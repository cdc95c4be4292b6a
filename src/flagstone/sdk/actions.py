"""Actions: one kind of step each. Typed input, typed output, a permission, a plan and a run.

class Greet(Action):
    id = "acme:greet"
    title = "Say hello"
    permission = "runs.run.start"
    idempotency = "natural"

    class Input(Inputs):
        name: str

    class Output(Outputs):
        greeting: str

    def plan(self, ctx, inputs):
        ctx.change("other", "run", inputs.name, "would be greeted")
        return self.Output(greeting=f"Hello {inputs.name}")

    def run(self, ctx, inputs):
        ctx.log(f"Hello {inputs.name}")
        return self.Output(greeting=f"Hello {inputs.name}")
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from flagstone.contracts.actions import ActionExample, ActionSpec, Idempotency
from flagstone.contracts.plans import ChangeKind, ChangeOp, FileOp
from flagstone.contracts.runs import WaitKind
from flagstone.kernel.actor import Principal
from flagstone.sdk.files import Files


class Inputs(BaseModel):
    """Base of an action's input. Unknown members are refused, names on the wire are camelCase by alias."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Outputs(BaseModel):
    """Base of an action's output, stored in the run: never put a secret in it."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class UndoNotPossible(Exception):
    """The action has no undo."""


class Waiting(Exception):
    """Raised by ``run``: the step waits, at no cost, and ``run`` is called again when there is an answer or it is time.

    ``kind``: ``approval`` or ``input`` wait for an answer of people, ``time`` for ``until``, ``poll`` looks again at
    ``until``. What the action must know then lies in ``data`` (JSON, no secret): it comes back as ``ctx.memory``.
    """

    def __init__(
        self,
        kind: WaitKind,
        message: str,
        *,
        until: datetime | None = None,
        schema: Any = None,
        asked: tuple[str, ...] = (),
        approval_id: str = "",
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.kind: WaitKind = kind
        self.message = message
        self.until = until
        self.schema = schema
        self.asked = asked
        self.approval_id = approval_id
        self.data = dict(data or {})


class BaseContext(Protocol):
    """What planning and running share."""

    run_id: str
    step_id: str
    actor: Principal
    owner: str | None
    """Owner ref of what the run acts upon, if known."""
    template_ref: str | None
    """The template that the run was started from, if any."""
    workspace: Files
    """The run's own folder; steps of one run share it. While planning it is a throw-away copy."""

    def log(self, text: str, *, level: str = "info") -> None:
        """Write a line to the run's log (secrets are masked before it is stored)."""

    def source(self, url: str) -> Files:
        """Read-only files behind a step's ``url``: beside the template, in a hosted repository, or on an allowed host.

        Raises Denied when the location may not be read, NotFound when there is nothing.
        """

    def render_tree(self, source: Files, values: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
        """Render a skeleton into the workspace, in the rules of ``fetch:template``; returns the paths written.

        Options: target_path, copy_without_templating, template_file_extension, cookiecutter_compat, replace,
        trim_blocks, lstrip_blocks, leave_out (globs of what is no part of the result).
        """

    def render_text(self, text: str, values: Mapping[str, Any], options: Mapping[str, Any], *, name: str = "") -> str:
        """Render the contents of one file, in the rules of ``fetch:template``. ``name`` is for messages.

        Options: cookiecutter_compat, trim_blocks, lstrip_blocks.
        """

    def original(self, path: str) -> bytes | None:
        """The content of a file of the workspace as it was when this step first began; None when there was none.

        A step that changes a file works from this: after a crash half way it begins with the same content again.
        """

    def entity(self, ref: str) -> Mapping[str, Any] | None:
        """What the catalog said of an entity when the run was asked for; None when nobody looked it up.

        The platform never asks the portal. The portal looks up what the steps ``catalog:fetch`` and
        ``catalog:delete-entity`` name, and sends it along.
        """

    def check(self, permission: str, *, owner: str | None = None) -> None:
        """Decide for the actor. Raises Denied, saying which permission is missing and who grants it.

        An action about something that is owned calls this with the owner it found: ``self.owner`` is only what the
        request says.
        """


class PlanContext(BaseContext, Protocol):
    """Planning: look at everything, change nothing but the throw-away workspace."""

    def change(self, kind: ChangeKind, op: ChangeOp, subject: str, detail: str = "", **facts: str) -> None:
        """Record something the step would do."""

    def file(self, path: str, op: FileOp, before: bytes | None, after: bytes | None) -> None:
        """Show how a file outside of the workspace would differ from what is there, such as one of a repository.

        None: it is not there then. It takes the place of the file of the workspace that it is made of; with the op
        ``none`` that one is not shown either: it is there already as it is.
        """

    def cost(self, amount: Decimal, currency: str = "USD") -> None:
        """Say what the step would add to the costs of a month, where that is known; negative for what it saves."""

    def note(self, text: str) -> None:
        """Say what cannot be known before the run; marks the plan as incomplete."""

    def expected(self, kind: ChangeKind, subject: str) -> bool:
        """Whether an earlier step of the same plan would make this: it is not there yet, and that is no mistake."""


class ActionContext(BaseContext, Protocol):
    """Running."""

    step_key: str
    """Stable over retries of this step with these inputs: the idempotency key of its side effect."""
    attempt: int
    """Counts from 1."""
    repeated: bool
    """Whether an attempt with this same key was begun before: what it did may be done already."""
    secrets: Mapping[str, str]
    """The run's secrets by name; put them nowhere but into the call that needs them."""

    answer: Mapping[str, Any] | None
    """What was answered to the step's :class:`Waiting`; None on the first call, and when its time came without one."""
    memory: Mapping[str, Any]
    """``Waiting.data`` of the last wait of this step; empty on the first call."""

    def emit(self, event_type: str, subject: str, data: Mapping[str, Any]) -> None:
        """Add an event to the outbox, in the same transaction as the step's result: only when it succeeds, and once."""

    def cancelled(self) -> bool:
        """Whether the run was asked to stop: return soon when it was."""

    def link(self, entity_ref: str) -> None:
        """Note that this run is about that entity; the run then shows on its page."""


class Action:
    """Base class of all actions; see the module for an example.

    ``run`` may raise Temporary (tried again with back-off), Waiting (called again later), or any other FlagstoneError
    (fails the step).
    """

    id: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str] = ""
    permission: ClassVar[str] = "runs.run.start"
    idempotency: ClassVar[Idempotency] = "natural"
    """The weakest that holds; see :meth:`idempotency_of`."""
    idempotency_note: ClassVar[str] = ""
    """Of an action that defines :meth:`idempotency_of`: on what it depends, in a sentence for people."""
    plan_only_result: ClassVar[bool] = False
    only_on_server: ClassVar[bool] = False
    """Whether it needs a process that serves, for what only that one holds, such as the processes of workloads: then no
    ``flagstone worker`` is given its runs."""
    without_undo: ClassVar[str] = ""
    """Of an action that has no :meth:`undo`: why, in a sentence for people."""
    examples: ClassVar[tuple[ActionExample, ...]] = ()
    """Steps for the documentation; a test runs their inputs through :attr:`Input`."""

    class Input(Inputs):
        """No input unless the subclass says so."""

    class Output(Outputs):
        """No output unless the subclass says so."""

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs | None:
        """Say through ``ctx`` what would happen; return the outputs as far as they can be foretold."""
        raise TypeError(f"{type(self).__name__} must say what it would do: define plan().")

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs | None:
        """Do it."""
        raise TypeError(f"{type(self).__name__} must do something: define run().")

    def idempotency_of(self, inputs: Any) -> Idempotency:
        """What holds with these inputs, where it depends on them: a GET may be sent twice, a POST may not."""
        return self.idempotency

    def probe(self, ctx: ActionContext, inputs: Any) -> Outputs | None:
        """For ``idempotency = "probe"``: the outputs if the side effect with ``ctx.step_key`` already happened."""
        return None

    def undo(self, ctx: ActionContext, inputs: Any, outputs: Mapping[str, Any]) -> None:
        """Take the side effect back. Raises UndoNotPossible unless the subclass can."""
        raise UndoNotPossible(self.id)

    def spec(self, source: str = "flagstone") -> ActionSpec:
        """What this action says of itself."""
        has_undo = type(self).undo is not Action.undo
        return ActionSpec(
            id=self.id,
            title=self.title,
            description=self.description or (type(self).__doc__ or "").strip(),
            input_schema=self.Input.model_json_schema(by_alias=True),
            output_schema=self.Output.model_json_schema(by_alias=True),
            permission=self.permission,
            idempotency=self.idempotency,
            idempotency_note=self.idempotency_note,
            has_undo=has_undo,
            undo=inspect.getdoc(type(self).undo) or "" if has_undo else self.without_undo,
            examples=self.examples,
            source=source,
        )
