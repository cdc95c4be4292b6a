"""A template and its answers as the definition of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from flagstone.contracts.approvals import ApprovalRule, approver
from flagstone.contracts.runs import StepDefinition, WorkflowDefinition
from flagstone.kernel.errors import Invalid, Problem
from flagstone.kernel.refs import parse_ref
from flagstone.portal.golden_paths.model.durations import HINT, step_timeout
from flagstone.portal.golden_paths.model.templates import GoldenPath
from flagstone.toolkit.web.forms import parse_repo_url, settle

_NAMES = (
    "name",
    "component_id",
    "componentName",
    "component_name",
    "serviceName",
    "service_name",
    "service",
    "title",
    "id",
)


def workflow(path: GoldenPath, values: Mapping[str, Any]) -> WorkflowDefinition:
    """The definition that a run of this template executes. Raises Invalid (``golden_paths.bad_template``)."""
    problems: list[Problem] = []
    steps = [_step(step, number, problems) for number, step in enumerate(path.steps, 1)]
    ids = [step.id for step in steps]
    problems += [
        Problem(f"two steps have the id {name!r}", field="spec.steps", hint="Give each step an id of its own.")
        for name in sorted({name for name in ids if ids.count(name) > 1})
    ]
    rules = approval_rules(path.approvals, problems)
    if problems:
        raise Invalid(
            "golden_paths.bad_template",
            f"The template {path.ref} cannot be run as it is written.",
            hint="Its owner has to mend the file it comes from.",
            problems=problems,
        )
    return WorkflowDefinition(
        name=path.name,
        title=run_title(path, values),
        template_ref=path.ref,
        version=path.version,
        base=path.base,
        parameters=path.parameters,
        secrets_schema=dict(path.secrets_schema) if path.secrets_schema is not None else None,
        steps=tuple(steps),
        output=dict(path.output),
        approvals=rules,
    )


def approval_rules(given: Any, problems: list[Problem]) -> tuple[ApprovalRule, ...]:
    """The rules of ``spec.approvals``, Flagstone's own: one rule or a list of them; what is wrong goes to ``problems``.

    ``approvers`` (groups, users, roles, ``owner``), ``count``, ``expiresHours``, ``reason``.
    """
    listed = given if isinstance(given, list) else [] if given is None else [given]
    found: list[ApprovalRule] = []
    for number, item in enumerate(listed):
        field = f"spec.approvals[{number}]"
        named = item.get("approvers") if isinstance(item, Mapping) else None
        named = [named] if isinstance(named, str) else named
        if not isinstance(item, Mapping) or not isinstance(named, list) or not named:
            problems.append(Problem("an approval names approvers", field=field, hint="approvers: [group:default/x]"))
            continue
        if unknown := sorted(set(map(str, item)) - {"approvers", "count", "expiresHours", "reason"}):
            problems.append(Problem(f"there is no {unknown[0]!r} in an approval", field=field))
            continue
        try:
            values = {"count": item.get("count", 1), "expires_hours": item.get("expiresHours", 72)}
            of = tuple(approver(str(ref)) for ref in named)
            found.append(ApprovalRule.model_validate({"of": of, "reason": str(item.get("reason") or ""), **values}))
        except Invalid as error:
            problems.append(Problem(error.message, field=f"{field}.approvers", hint=error.hint))
        except ValidationError as error:
            fault = error.errors()[0]
            name = "expiresHours" if fault["loc"][0] == "expires_hours" else fault["loc"][0]
            problems.append(Problem(str(fault["msg"]), field=f"{field}.{name}"))
    return tuple(found)


def _step(step: Mapping[str, Any], number: int, problems: list[Problem]) -> StepDefinition:
    ident = str(step.get("id") or f"step-{number}")
    action, inputs = step.get("action"), step.get("input") or {}
    if not isinstance(action, str) or not action:
        problems.append(Problem(f"step {ident!r} has no action", field=f"spec.steps[{number - 1}].action"))
        action = ""
    if not isinstance(inputs, Mapping):
        problems.append(
            Problem(f"the input of step {ident!r} is not an object", field=f"spec.steps[{number - 1}].input")
        )
        inputs = {}
    timeout: float | None = None
    if step.get("timeout") is not None:
        try:
            timeout = step_timeout(step["timeout"])
        except ValueError as error:
            place = f"spec.steps[{number - 1}].timeout"
            problems.append(Problem(f"the timeout of step {ident!r}: {error}", field=place, hint=HINT))
    return StepDefinition(
        id=ident,
        name=str(step.get("name") or action),
        action=action,
        input=dict(inputs),
        condition=step.get("if"),
        each=step.get("each"),
        timeout_seconds=timeout,
    )


def run_title(path: GoldenPath, values: Mapping[str, Any]) -> str:
    """What the run is called: the template, and what is made with it where the answers say that."""
    for name in _NAMES:
        if isinstance(values.get(name), str) and values[name]:
            return f"{path.title}: {values[name]}"
    repo = next(
        (parse_repo_url(value).repo for value in values.values() if isinstance(value, str) and "repo=" in value), ""
    )
    return f"{path.title}: {repo}" if repo else path.title


def owner_of(path: GoldenPath, values: Mapping[str, Any]) -> str | None:
    """Ref of who will own what is made: the answer of the first owner picker, else of a field named ``owner``."""
    for page in path.pages:
        schema, _ = settle(page, values)
        for name, rule in schema["properties"].items():
            owning = rule.get("ui:field") in ("OwnerPicker", "MyGroupsPicker") or name == "owner"
            if owning and isinstance(values.get(name), str):
                try:
                    return str(parse_ref(values[name], default_kind="group"))
                except Invalid:
                    return None
    return None
