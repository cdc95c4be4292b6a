"""Checking a request: every fault at once, each with its field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from flagstone.contracts.runs import RunRequest, StepDefinition, WorkflowDefinition
from flagstone.kernel.errors import Invalid, Problem
from flagstone.platform.runs import ActionRegistry, syntax_fault
from flagstone.toolkit.web.forms import answers, check, schema_fault, secret_faults

_MAX_STEPS = 500
_MAX_ID = 100


def checked(request: RunRequest, registry: ActionRegistry, *, complete: bool = True) -> RunRequest:
    """The request with the defaults of its parameters filled in.

    Raises Invalid (``workflows.bad_request``) that lists every fault of definition, inputs and secrets. A plan can be
    made without secrets: not ``complete``, those that are missing are no fault.
    """
    problems = [*_definition(request.workflow, registry)]
    pages = _pages(request.workflow.parameters)
    broken = list(_schemas(pages))
    problems += broken or _inputs(pages, request.inputs)
    problems += _secrets(request, complete=complete)
    if problems:
        raise Invalid(
            "workflows.bad_request",
            f"{request.workflow.title or request.workflow.name} cannot be run like this.",
            hint="Correct what is listed and try again.",
            problems=problems,
        )
    filled = {**answers(pages, dict(request.inputs)), **request.inputs}
    return request.model_copy(update={"inputs": filled})


def _definition(workflow: WorkflowDefinition, registry: ActionRegistry) -> Iterator[Problem]:
    if len(workflow.steps) > _MAX_STEPS:
        yield Problem(
            f"there are {len(workflow.steps)} steps, at most {_MAX_STEPS} are allowed", field="workflow.steps"
        )
    for step_id, count in Counter(step.id for step in workflow.steps).items():
        if count > 1:
            yield Problem(
                f"{count} steps have the id {step_id!r}", field="workflow.steps", hint="Give each its own id."
            )
    for index, step in enumerate(workflow.steps):
        yield from _step(step, index, registry)


def _step(step: StepDefinition, index: int, registry: ActionRegistry) -> Iterator[Problem]:
    where = f"steps.{step.id or index}"
    if not step.id or len(step.id) > _MAX_ID or any(char in "[]\n\r\t" for char in step.id):
        yield Problem(
            f"{step.id[:_MAX_ID]!r} is no id for a step",
            field=f"workflow.steps[{index}].id",
            hint=f"An id has 1 to {_MAX_ID} characters and no brackets.",
        )
    if registry.find(step.action) is None:
        hint = registry.suggest(step.action) or "GET /api/v1/actions lists all actions."
        yield Problem(f"there is no action {step.action!r}", field=f"{where}.action", hint=hint)
    for name, value in (("if", step.condition), ("each", step.each)):
        fault = syntax_fault(value)
        if fault:
            yield Problem(fault, field=f"{where}.{name}")


def _pages(parameters: Any) -> list[dict[str, Any]]:
    pages = parameters if isinstance(parameters, list) else [parameters]
    return [page for page in pages if isinstance(page, dict)]


def _schemas(pages: list[dict[str, Any]]) -> Iterator[Problem]:
    for number, page in enumerate(pages):
        fault = schema_fault(page)
        if fault is not None:
            path = ".".join(str(part) for part in fault[0])
            yield Problem(f"not a valid JSON Schema: {fault[1]}", field=f"parameters[{number}].{path}".rstrip("."))


def _inputs(pages: list[dict[str, Any]], inputs: Mapping[str, Any]) -> list[Problem]:
    """Each page is checked by itself against all inputs, as in Backstage."""
    return [
        Problem(fault.message, field=f"inputs.{fault.name.replace('/', '.')}".rstrip("."))
        for page in pages
        for fault in check(page, dict(inputs))
    ]


def _secrets(request: RunRequest, *, complete: bool) -> list[Problem]:
    """Never with a value: these problems are shown, kept and logged."""
    schema = request.workflow.secrets_schema
    if schema is None:
        return []
    fault = schema_fault(schema) if isinstance(schema, Mapping) else ([], "it is no object")
    if fault is not None:
        return [Problem(f"not a valid JSON Schema: {fault[1]}", field="workflow.secrets_schema")]
    # An empty one is never stored: it stands for a name whose value is not known here.
    given = {name: text for name, value in request.secrets.items() if (text := value.get_secret_value())}
    return [
        Problem(fault.message, field=f"secrets.{fault.name}".rstrip("."))
        for fault in secret_faults(schema, given, complete=complete)
    ]
