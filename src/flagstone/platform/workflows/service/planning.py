"""Planning: each action says what it would do, in order, in a folder that is thrown away."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from flagstone.contracts.plans import Change, ChangeKind, ChangeOp, FileOp, Plan, PlannedStep
from flagstone.contracts.runs import RunRequest, StepDefinition
from flagstone.foundation.access import AccessService
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError
from flagstone.platform.runs import (
    MASK,
    START,
    ActionRegistry,
    Place,
    Reading,
    Scope,
    Sources,
    StepContext,
    Workspace,
    Workspaces,
    condition_holds,
    parse_inputs,
    render_inputs,
    render_output,
    to_outputs,
    turns_of,
)
from flagstone.platform.workflows.service.inline import unpacked
from flagstone.platform.workflows.service.listing import FileListing
from flagstone.platform.workflows.service.policies import PolicyRegistry, unanswerable
from flagstone.sdk import Action
from flagstone.sdk.edits import FileEdit

log = logging.getLogger("flagstone.workflows")

_TASK = "plan"
_MAX_TURNS = 100
_FROM_STEPS = re.compile(r"\bsteps\b")


class PlanningContext(StepContext):
    """See ``flagstone.sdk.PlanContext``."""

    def __init__(self, place: Place, before: Sequence[PlannedStep] = ()) -> None:
        super().__init__(place, self._line)
        self._before = before
        self.changes: list[Change] = []
        self.notes: list[str] = []
        self.edits: list[FileEdit] = []
        self.costs: list[tuple[Decimal, str]] = []
        self.warnings: list[str] = []

    def change(self, kind: ChangeKind, op: ChangeOp, subject: str, detail: str = "", **facts: str) -> None:
        """Record something the step would do."""
        self.changes.append(Change(kind=kind, op=op, subject=subject, detail=detail, facts=facts))

    def file(self, path: str, op: FileOp, before: bytes | None, after: bytes | None) -> None:
        """Show how a file outside of the workspace would differ."""
        self.edits.append(FileEdit(path, op, before, after))

    def cost(self, amount: Decimal, currency: str = "USD") -> None:
        """Say what the step would add to the costs of a month."""
        self.costs.append((Decimal(amount), currency))

    def note(self, text: str) -> None:
        """Say what cannot be known before the run."""
        self.notes.append(text)

    def expected(self, kind: ChangeKind, subject: str) -> bool:
        """Whether an earlier step would make this."""
        made = (change for step in self._before for change in step.changes if change.op == "create")
        return any((change.kind, change.subject) == (kind, subject) for change in made)

    def _line(self, text: str, level: str) -> None:
        if level in ("warn", "warning", "error"):
            self.warnings.append(text)


@dataclass
class _Progress:
    """A plan while it is made."""

    request: RunRequest
    actor: Principal
    files: Workspace
    listing: FileListing
    outputs: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    steps: list[PlannedStep] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    costs: list[tuple[Decimal, str]] = field(default_factory=list)
    complete: bool = True
    inline: Path | None = None
    """Where the files are that came with the request."""

    def scope(self, each: Mapping[str, Any] | None = None) -> Scope:
        masks = dict.fromkeys(self.request.secrets, MASK)
        return Scope(self.request.inputs, self.outputs, self.actor, _TASK, each=each, secrets=masks)


class Planner:
    """Makes the plan of a request that has been checked. It changes nothing outside its throw-away folder."""

    def __init__(
        self,
        registry: ActionRegistry,
        workspaces: Workspaces,
        sources: Sources,
        access: AccessService,
        policies: PolicyRegistry | None = None,
    ) -> None:
        self._registry = registry
        self._workspaces = workspaces
        self._sources = sources
        self._access = access
        self._policies = PolicyRegistry() if policies is None else policies

    @property
    def judged(self) -> bool:
        """Whether policies have a say about plans."""
        return bool(self._policies)

    def plan(self, request: RunRequest, actor: Principal) -> Plan:
        """The change set, sealed. Equal requests in an equal world give equal digests."""
        with self._workspaces.throw_away() as files:
            progress = _Progress(request, actor, files, FileListing(files.files))
            progress.inline = unpacked(request.files, files.scratch)
            for definition in request.workflow.steps:
                if progress.problems:
                    progress.steps.append(_not_reached(definition))
                    progress.complete = False
                else:
                    self._plan_step(progress, definition)
            hide = str(files.scratch.parent)
            problems = tuple(text.replace(hide, "the workspace") for text in progress.problems)
            planned_files = progress.listing.files()
            output = _output(progress)
        start = self._access.decide(actor, START, owner=request.owner)
        plan = Plan(
            title=request.workflow.title,
            steps=tuple(progress.steps),
            files=planned_files,
            output=output,
            problems=problems,
            cost=_monthly(progress.costs),
            complete=progress.complete and not problems,
            allowed=start.allowed and all(step.allowed for step in progress.steps),
        )
        return self._judged(plan, request, actor).sealed()

    def _judged(self, plan: Plan, request: RunRequest, actor: Principal) -> Plan:
        """The plan with what the policies say of it, and with everybody who must agree."""
        verdicts = self._policies.verdicts(plan, request, actor)
        asked = [*request.workflow.approvals, *(rule for verdict in verdicts for rule in verdict.approvals)]
        rules = tuple(rule for place, rule in enumerate(asked) if rule not in asked[:place])
        problems = [unanswerable(rule, request.owner) for rule in rules]
        return plan.model_copy(
            update={
                "verdicts": verdicts,
                "approvals": rules,
                "problems": (*plan.problems, *(text for text in problems if text)),
                "allowed": plan.allowed and all(verdict.severity != "deny" for verdict in verdicts),
            }
        )

    def _plan_step(self, progress: _Progress, definition: StepDefinition) -> None:
        """One step with all its turns."""
        try:
            if definition.each is None:
                self._plan_turn(progress, definition, definition.id, None)
                return
            turns = self._turns(progress, definition)
        except FlagstoneError as error:
            progress.problems.append(_in_step(definition, error))
            progress.steps.append(_bare(definition))
            return
        collected: dict[str, list[Any]] = {}
        for key, value in turns:
            found = self._plan_turn(progress, definition, f"{definition.id}[{key}]", {"key": key, "value": value})
            for name, output in (found or {}).items():
                collected.setdefault(name, []).append(output)
            if progress.problems:
                return
        progress.outputs[definition.id] = collected
        if not turns:
            progress.steps.append(_bare(definition, skipped=True, summary="There is nothing to do it for."))

    def _turns(self, progress: _Progress, definition: StepDefinition) -> list[tuple[str, Any]]:
        try:
            return turns_of(definition, progress.scope(), _MAX_TURNS)
        except FlagstoneError:
            if not condition_holds(definition, progress.scope()):
                return []
            raise

    def _plan_turn(
        self, progress: _Progress, definition: StepDefinition, step_id: str, each: Mapping[str, Any] | None
    ) -> dict[str, Any] | None:
        """Plan one turn and add it; returns its outputs as far as they can be foretold."""
        try:
            scope = progress.scope(each)
            if not condition_holds(definition, scope):
                step = _bare(definition, step_id, skipped=True, summary="Its condition does not hold.")
                progress.steps.append(step)
                return None
            action = self._registry.get(definition.action)
            return self._ask(progress, definition, step_id, action, scope)
        except FlagstoneError as error:
            progress.problems.append(_in_step(definition, error))
        except Exception as error:
            log.exception("planning the step %s failed", step_id)
            progress.problems.append(f"{definition.name}: {definition.action} failed unexpectedly: {error}")
        progress.steps.append(_bare(definition, step_id))
        return None

    def _ask(
        self, progress: _Progress, definition: StepDefinition, step_id: str, action: Action, scope: Scope
    ) -> dict[str, Any] | None:
        request, actor = progress.request, progress.actor
        rendered = render_inputs(definition, scope)
        decision = self._access.decide(actor, action.permission, owner=request.owner)
        reason = "" if decision.allowed else f"{decision.reason} {decision.hint}".strip()
        about: dict[str, Any] = {"permission": action.permission, "allowed": decision.allowed, "reason": reason}
        about |= {"inputs": rendered.masked, "undo": type(action).undo is not Action.undo}
        try:
            inputs = parse_inputs(action, rendered.values, definition.id)
        except FlagstoneError:
            if not _depends_on_steps(definition.input):
                raise
            note = "It cannot be previewed: its input is only known when the steps before it have run."
            progress.steps.append(_bare(definition, step_id, notes=(note,), **{**about, "inputs": {}}))
            progress.complete = False
            return None
        reading = Reading(request.workflow, actor, progress.files.scratch, progress.inline)
        place = Place(_TASK, step_id, actor, request.owner, progress.files, reading, self._sources, self._access)
        context = PlanningContext(place, progress.steps)
        found = action.plan(context, inputs)
        progress.listing.look(step_id)
        for edit in context.edits:
            progress.listing.outside(step_id, edit)
        progress.costs += context.costs
        outputs = to_outputs(action, found)
        if definition.each is None:
            progress.outputs[definition.id] = outputs
        if context.notes or (found is None and action.Output.model_fields):
            progress.complete = False
        notes = (*rendered.warnings, *context.warnings, *context.notes)
        summary = action.title if not context.changes else _summary(context.changes)
        about |= {"changes": tuple(context.changes), "outputs": outputs}
        progress.steps.append(_bare(definition, step_id, summary=summary, notes=notes, **about))
        return outputs


def _output(progress: _Progress) -> dict[str, Any]:
    """Of the whole run; nothing when it depends on what is only known later."""
    try:
        found: dict[str, Any] = render_output(progress.request.workflow.output, progress.scope())
    except FlagstoneError:
        return {}
    return found


def _monthly(costs: Sequence[tuple[Decimal, str]]) -> str:
    """All of them in words, each currency by itself; "" when nothing is known."""
    sums: dict[str, Decimal] = {}
    for amount, currency in costs:
        sums[currency] = sums.get(currency, Decimal()) + amount
    words = " and ".join(f"{amount:,.2f} {currency}" for currency, amount in sorted(sums.items()))
    return f"{words} a month" if words else ""


def _bare(definition: StepDefinition, step_id: str | None = None, **more: Any) -> PlannedStep:
    return PlannedStep(id=step_id or definition.id, name=definition.name, action=definition.action, **more)


def _not_reached(definition: StepDefinition) -> PlannedStep:
    return _bare(definition, notes=("Not previewed, because a step before it has a problem.",))


def _in_step(definition: StepDefinition, error: FlagstoneError) -> str:
    return f"{definition.name}: {error}"


def _summary(changes: list[Change]) -> str:
    first = changes[0]
    text = f"{first.op} {first.kind} {first.subject}" if first.op != "none" else f"{first.subject} {first.detail}"
    return text if len(changes) == 1 else f"{text} and {len(changes) - 1} more"


def _depends_on_steps(value: Any) -> bool:
    """Whether an expression in it uses the output of another step."""
    if isinstance(value, str):
        return "${{" in value and _FROM_STEPS.search(value) is not None
    if isinstance(value, Mapping):
        return any(_depends_on_steps(item) for item in value.values())
    return isinstance(value, list) and any(_depends_on_steps(item) for item in value)
