"""The small workflows behind the buttons of an entity page and the commands of the CLI: each is one run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flagstone.contracts.resources import REMOVE_ACTION, REQUEST_ACTION
from flagstone.contracts.runs import StepDefinition, WorkflowDefinition


def _single(name: str, title: str, action: str, inputs: dict[str, object]) -> WorkflowDefinition:
    step = StepDefinition(id=name, name=title, action=action, input=inputs)
    return WorkflowDefinition(name=name, title=title, steps=(step,))


def _links(step: str, entity_ref: str) -> dict[str, object]:
    url = f"${{{{ steps.{step}.output.url }}}}"
    return {
        "links": [
            {"title": "Open the service", "url": url, "if": url},
            {"title": "Open in the catalog", "entityRef": entity_ref},
        ]
    }


def deploy_workflow(
    *, title: str, repository: str, environment: str, entity_ref: str, commit: str | None = None
) -> WorkflowDefinition:
    """Deploy a commit (default: head of the default branch) of a hosted repository."""
    inputs: dict[str, object] = {"repository": repository, "environment": environment, "entityRef": entity_ref}
    if commit:
        inputs["commit"] = commit
    definition = _single("deploy", title, "flagstone:deploy", inputs)
    return definition.model_copy(update={"output": _links("deploy", entity_ref)})


def promote_workflow(*, title: str, deployment_id: str, environment: str, entity_ref: str) -> WorkflowDefinition:
    """Bring the release of a deployment up in an environment that comes later."""
    inputs: dict[str, object] = {"deployment": deployment_id, "environment": environment}
    definition = _single("promote", title, "flagstone:promote", inputs)
    return definition.model_copy(update={"output": _links("promote", entity_ref)})


def stop_workflow(*, title: str, deployment_id: str) -> WorkflowDefinition:
    """End a workload and keep it ready to be started again."""
    return _single("stop", title, "flagstone:stop", {"deployment": deployment_id})


def start_workflow(*, title: str, deployment_id: str) -> WorkflowDefinition:
    """Start a stopped workload with the release it had."""
    return _single("start", title, "flagstone:start", {"deployment": deployment_id})


def request_resource_workflow(
    *,
    title: str,
    type: str,  # noqa: A002  the word that Score files use
    name: str,
    environment: str,
    entity_ref: str | None = None,
    owner: str | None = None,
    resource_class: str = "default",
    params: Mapping[str, Any] | None = None,
    adopt: bool = False,
) -> WorkflowDefinition:
    """Ask for a resource; one that is there already is made to fit the params, and with ``adopt`` the definition."""
    inputs: dict[str, object] = {"type": type, "name": name, "environment": environment, "params": dict(params or {})}
    if resource_class != "default":
        inputs["class"] = resource_class
    if entity_ref:
        inputs["entityRef"] = entity_ref
    if owner:
        inputs["owner"] = owner
    if adopt:
        inputs["adopt"] = True
    definition = _single("request", title, REQUEST_ACTION, inputs)
    link = {"title": "Open the resource", "url": "/resources/${{ steps.request.output.id }}"}
    return definition.model_copy(update={"output": {"links": [link]}})


def remove_resource_workflow(*, title: str, resource_id: str, delete_data: bool = False) -> WorkflowDefinition:
    """Take a resource away. Its data are kept aside unless they are to be deleted."""
    return _single("remove", title, REMOVE_ACTION, {"resource": resource_id, "deleteData": delete_data})


def delete_workflow(
    *,
    title: str,
    entity_ref: str,
    deployment_ids: tuple[str, ...],
    repository: str | None,
    location: tuple[str, str] | None,
) -> WorkflowDefinition:
    """Take a component out of the world: its deployments, its hosted repository and its catalog location, in this
    order.
    """
    steps = [
        StepDefinition(
            id=f"undeploy-{number}",
            name="Remove the deployment",
            action="flagstone:undeploy",
            input={"deployment": deployment_id},
        )
        for number, deployment_id in enumerate(deployment_ids, 1)
    ]
    if location is not None:
        steps.append(
            StepDefinition(
                id="unregister",
                name="Unregister from the catalog",
                action="catalog:unregister",
                input={"type": location[0], "target": location[1], "entityRef": entity_ref},
            )
        )
    if repository is not None:
        steps.append(
            StepDefinition(
                id="repository",
                name="Delete the repository",
                action="flagstone:repository:delete",
                input={"repository": repository},
            )
        )
    return WorkflowDefinition(name="delete", title=title, steps=tuple(steps))
