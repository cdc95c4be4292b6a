"""The whole document: its head, what is not supported, the form, the steps, the output."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from flagstone.contracts.actions import ActionSpec
from flagstone.kernel.errors import Problem
from flagstone.portal.golden_paths.model.checking.findings import Finding, Findings, similar
from flagstone.portal.golden_paths.model.checking.parameters import Asked, check_parameters
from flagstone.portal.golden_paths.model.checking.steps import StepChecker
from flagstone.portal.golden_paths.model.workflows import approval_rules
from flagstone.toolkit.web.forms import schema_fault

_API = "scaffolder.backstage.io/v1beta3"
_SPEC_KEYS = (
    "type",
    "owner",
    "lifecycle",
    "system",
    "parameters",
    "steps",
    "output",
    "secrets",
    "presentation",
    "formDecorators",
    "EXPERIMENTAL_formDecorators",
    "EXPERIMENTAL_recovery",
    "approvals",
    "attachTo",
    "undo",
)


def check_template(
    document: Mapping[str, Any],
    actions: Mapping[str, ActionSpec] | None = None,
    fields: Collection[str] = (),
) -> list[Finding]:
    """Everything that is wrong with a template.

    ``actions`` are those that the platform can do, by id (None: not known, so none is refused); ``fields`` the form
    fields that plugins bring.
    """
    found = Findings()
    spec = document.get("spec")
    if not _head(document, found) or not isinstance(spec, Mapping):
        return found.all()
    for key in spec:
        if key not in _SPEC_KEYS:
            found.warning("unknown_key", ("spec", key), f"{key!r} means nothing here", similar(str(key), _SPEC_KEYS))
    _unsupported(spec, found)
    _approvals(spec, found)
    _attached(spec, found)
    asked = check_parameters(spec.get("parameters"), fields, found)
    asked = _secrets(spec, asked, found)
    steps = spec.get("steps")
    checker = StepChecker(actions, asked, found)
    if isinstance(steps, list):
        for index, step in enumerate(steps):
            checker.step(step, ("spec", "steps", index), index)
    else:
        found.error("no_steps", ("spec", "steps"), "steps must be a list", "Write steps: [] for a form without steps.")
    checker.output(spec.get("output"))
    return found.all()


def _head(document: Mapping[str, Any], found: Findings) -> bool:
    api, kind = document.get("apiVersion"), document.get("kind")
    if kind != "Template":
        found.error("no_template", ("kind",), f"kind is {kind!r:.60}, not Template")
        return False
    if api != _API:
        old = str(api).startswith("backstage.io/v1beta2")
        hint = "v1beta2 templates have to be rewritten: {{ }} becomes ${{ }}, and parameters are under `parameters.`."
        found.error("bad_api_version", ("apiVersion",), f"apiVersion is {api!r:.60}", hint if old else f"Write {_API}.")
        return False
    metadata, spec = document.get("metadata"), document.get("spec")
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str):
        found.error("no_name", ("metadata", "name"), "the template has no name")
    if not isinstance(spec, Mapping):
        found.error("no_spec", ("spec",), "the template has no spec")
        return False
    if not isinstance(spec.get("type"), str) or not spec["type"]:
        found.error("no_type", ("spec", "type"), "spec.type is missing", "Write what it makes, such as service.")
    if not spec.get("owner"):
        found.warning("no_owner", ("spec",), "nobody owns the template", "Write spec.owner: group:default/....")
    return True


def _attached(spec: Mapping[str, Any], found: Findings) -> None:
    given = spec.get("attachTo")
    if given is None:
        return
    for item in given if isinstance(given, list) else [given]:
        if not isinstance(item, Mapping) or not item:
            found.error(
                "bad_attach_to",
                ("spec", "attachTo"),
                "attachTo must be a list of catalog filters",
                "Write attachTo: [{kind: component, spec.type: service}].",
            )


def _approvals(spec: Mapping[str, Any], found: Findings) -> None:
    problems: list[Problem] = []
    approval_rules(spec.get("approvals"), problems)
    for problem in problems:
        found.error("bad_approvals", ("spec", "approvals"), problem.message, problem.hint or "")


def _unsupported(spec: Mapping[str, Any], found: Findings) -> None:
    for key in ("formDecorators", "EXPERIMENTAL_formDecorators"):
        if spec.get(key):
            found.error(
                "form_decorators",
                ("spec", key),
                "form decorators are code of a Backstage frontend and cannot run here",
                "Ask for the value with a field, or set it in the input of a step.",
            )
    recovery = spec.get("EXPERIMENTAL_recovery")
    strategy = recovery.get("EXPERIMENTAL_strategy") if isinstance(recovery, Mapping) else None
    if strategy == "startOver":
        found.warning(
            "recovery",
            ("spec", "EXPERIMENTAL_recovery"),
            "a run that was interrupted goes on where it was; it does not start over",
            "Nothing has to be done: finished steps are not repeated.",
        )
    presentation = spec.get("presentation")
    labels = presentation.get("buttonLabels") if isinstance(presentation, Mapping) else None
    known = ("backButtonText", "createButtonText", "reviewButtonText")
    for key in labels if isinstance(labels, Mapping) else ():
        if key not in known:
            path = ("spec", "presentation", "buttonLabels", str(key))
            found.warning("unknown_label", path, f"there is no button for {key}", similar(str(key), known))


def _secrets(spec: Mapping[str, Any], asked: Asked, found: Findings) -> Asked:
    secrets = spec.get("secrets")
    schema = secrets.get("schema") if isinstance(secrets, Mapping) else None
    if secrets is not None and not isinstance(schema, Mapping):
        found.error("bad_secrets", ("spec", "secrets"), "secrets must have a schema", "secrets: {schema: {...}}")
        return asked
    fault = schema_fault(dict(schema)) if schema is not None else None
    if fault is not None:
        found.error("bad_secrets", ("spec", "secrets", "schema"), f"this is no JSON Schema: {fault[1]}")
        return asked
    for name in (schema or {}).get("required") or ():
        if name not in asked.secrets:
            found.warning(
                "secret_unasked",
                ("spec", "secrets", "schema", "required"),
                f"no field of the form asks for the secret {name}, so a run can only be started by the API or the CLI",
                f"Ask for it with a field {name} of ui:field: Secret.",
            )
    names = (schema or {}).get("properties")
    more = frozenset(str(name) for name in names) if isinstance(names, Mapping) else frozenset()
    return Asked(asked.names, asked.secrets | more, asked.open)
