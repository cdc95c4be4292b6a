"""What the expressions of a workflow may see, and rendering with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flagstone.contracts.runs import StepDefinition, WorkflowDefinition
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Invalid
from flagstone.platform.runs.model import StepRecord
from flagstone.toolkit.templating import (
    EXPRESSION_LIMITS,
    UNDEFINED,
    Extensions,
    evaluate_condition,
    expand_each,
    functions_called,
    is_template,
    render_value,
    status_functions,
)
from flagstone.toolkit.templating.faults import TemplateError
from flagstone.toolkit.templating.lexer import Syntax
from flagstone.toolkit.templating.limits import Budget
from flagstone.toolkit.templating.parser import parse

MASK = "••••••"
_RUN_ANYWAY = frozenset({"always", "failure"})


@dataclass(frozen=True, slots=True)
class Scope:
    """The variables of one place in a workflow. Secrets are given to step inputs only."""

    parameters: Mapping[str, Any]
    outputs: Mapping[str, Mapping[str, Any]]
    principal: Principal
    task_id: str
    each: Mapping[str, Any] | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)
    failed: bool = False

    def variables(self, *, secrets: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The context of the template engine."""
        ref = self.principal.entity_ref
        found: dict[str, Any] = {
            "parameters": self.parameters,
            "steps": {step_id: {"output": output} for step_id, output in self.outputs.items()},
            "user": {"ref": ref, "entity": _user_entity(self.principal)} if ref else {},
            "context": {"task": {"id": self.task_id}},
        }
        if self.each is not None:
            found["each"] = self.each
        if secrets is not None:
            found["secrets"] = secrets
        return found

    @property
    def functions(self) -> Extensions:
        """``always()`` and ``failure()``."""
        return status_functions(failed=self.failed)


def _user_entity(principal: Principal) -> dict[str, Any]:
    kind, _, rest = str(principal.entity_ref).partition(":")
    namespace, _, name = rest.partition("/")
    return {
        "kind": kind.capitalize(),
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"profile": {"displayName": principal.name}},
    }


@dataclass(frozen=True, slots=True)
class RenderedInputs:
    """Inputs with secrets for the action, the same with masks to be stored, and what could not be rendered."""

    values: dict[str, Any]
    masked: dict[str, Any]
    warnings: tuple[str, ...]


def render_inputs(definition: StepDefinition, scope: Scope) -> RenderedInputs:
    """Render a step's input. An expression that is wrong stays as text, as in Backstage, and gives a warning.

    Raises Invalid when a limit is passed.
    """
    where = f"steps.{definition.id}.input"
    masks = dict.fromkeys(scope.secrets, MASK)
    warnings: tuple[str, ...] = ()
    try:
        values = _render(definition.input, scope, scope.secrets, where, lenient=False)
    except Invalid as error:
        if error.code == "templating.limit":
            raise
        warnings = (f"{error.message} The text is used as it stands.",)
        values = _render(definition.input, scope, scope.secrets, where, lenient=True)
    masked = _render(definition.input, scope, masks, where, lenient=True) if masks else values
    return RenderedInputs(values, masked, warnings)


def _render(value: Any, scope: Scope, secrets: Mapping[str, str], where: str, *, lenient: bool) -> dict[str, Any]:
    context = scope.variables(secrets=secrets)
    rendered = render_value(value, context, lenient=lenient, extensions=scope.functions, field=where)
    return rendered if isinstance(rendered, dict) else {}


def wanted_after_failure(definition: StepDefinition) -> bool:
    """Whether the step runs although an earlier one failed, if its condition says so."""
    return bool(functions_called(definition.condition) & _RUN_ANYWAY)


def condition_holds(definition: StepDefinition, scope: Scope) -> bool:
    """Whether the step runs. Raises Invalid for a condition that cannot be evaluated."""
    if definition.condition is None:
        return True
    return evaluate_condition(
        definition.condition, scope.variables(), extensions=scope.functions, field=f"steps.{definition.id}.if"
    )


def turns_of(definition: StepDefinition, scope: Scope, limit: int) -> list[tuple[str, Any]]:
    """The turns of ``each``. Raises Invalid when it is no list or object, or has more turns than ``limit``."""
    turns = expand_each(
        definition.each, scope.variables(), extensions=scope.functions, field=f"steps.{definition.id}.each"
    )
    if len(turns) > limit:
        raise Invalid(
            "runs.too_many_turns",
            f"The step {definition.id} would take {len(turns)} turns.",
            hint=f"At most {limit} are allowed (setting runs.max_turns).",
        )
    return turns


def outputs_by_step(steps: Iterable[StepRecord], workflow: WorkflowDefinition) -> dict[str, Mapping[str, Any]]:
    """What ``steps.<id>.output`` is. The turns of ``each`` become a list for each output, as in Backstage."""
    found: dict[str, Mapping[str, Any]] = {}
    for step in steps:
        definition = workflow.steps[step.index]
        if step.state != "succeeded":
            continue
        if definition.each is None:
            found[definition.id] = step.outputs
            continue
        lists: dict[str, list[Any]] = {key: list(value) for key, value in found.get(definition.id, {}).items()}
        for key, value in step.outputs.items():
            lists.setdefault(key, []).append(value)
        found[definition.id] = lists
    return found


def render_output(output: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
    """The output of a run: ``links`` and ``text`` whose ``if`` holds, and any other keys."""
    found: dict[str, Any] = {}
    for key, value in output.items():
        if key in ("links", "text") and isinstance(value, list):
            found[key] = [item for item in (_item(entry, scope) for entry in value) if item]
            continue
        rendered = render_value(value, scope.variables(), extensions=scope.functions, field=f"output.{key}")
        if rendered is not UNDEFINED:
            found[key] = rendered
    return found


def _item(entry: Any, scope: Scope) -> dict[str, Any] | None:
    if not isinstance(entry, dict):
        return None
    rest = {key: value for key, value in entry.items() if key != "if"}
    if "if" in entry and not evaluate_condition(entry["if"], scope.variables(), extensions=scope.functions):
        return None
    rendered = render_value(rest, scope.variables(), extensions=scope.functions)
    if not isinstance(rendered, dict):
        return None
    # A link whose target was never made leads nowhere.
    if (
        "content" not in rest
        and not (rendered.get("url") or rendered.get("entityRef"))
        and {"url", "entityRef"} & rest.keys()
    ):
        return None
    return rendered


def failed_before(steps: Sequence[StepRecord], step: StepRecord) -> bool:
    """Whether a step before this one did not succeed."""
    return any(
        other.state in ("failed", "cancelled", "unknown")
        for other in steps
        if (other.index, other.turn) < (step.index, step.turn)
    )


def syntax_fault(value: Any) -> str | None:
    """What is wrong with the syntax of a text that holds expressions; None when nothing is, or it is no text."""
    if not isinstance(value, str) or not is_template(value):
        return None
    try:
        parse(value, Syntax(), Budget(EXPRESSION_LIMITS))
    except TemplateError as error:
        return f"the expression cannot be read: {error.message}"
    except RecursionError:
        return "the expression is nested too deeply"
    return None
