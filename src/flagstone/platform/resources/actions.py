"""Resources as steps of templates and runs."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from flagstone.contracts.actions import ActionExample
from flagstone.contracts.resources import REMOVE_ACTION, REQUEST_ACTION
from flagstone.kernel.errors import NotFound
from flagstone.platform.resources.model import Resource, Wanted
from flagstone.platform.resources.permissions import REMOVE, REQUEST
from flagstone.platform.resources.service import Execution, ResourceService
from flagstone.sdk import Action, ActionContext, Inputs, Outputs, PlanContext

_DATABASE = """\
- id: database
  name: Request a database
  action: flagstone:resource:request
  input:
    type: sqlite
    name: data
    environment: development
    entityRef: component:default/${{ parameters.name }}
    owner: ${{ parameters.owner }}
- id: deploy
  name: Deploy
  action: flagstone:deploy
  input:
    repository: acme/${{ parameters.name }}
    environment: development
"""


class RequestResource(Action):
    """Ask for what a component needs beside itself, such as a database: it is made by the definition that fits.

    The same resource (component, environment, type, class, name) asked for twice is one; with other params it is made
    to fit them. Values of secret outputs are given to workloads only.
    """

    id = REQUEST_ACTION
    title = "Request a resource"
    permission = REQUEST
    idempotency = "key"
    only_on_server = True
    examples = (ActionExample(title="A database for a new service, then the service", yaml=_DATABASE),)

    class Input(Inputs):
        """What is asked for."""

        type: str = Field(description="Resource type, such as postgres or volume.")
        resource_class: str = Field("default", alias="class", description="Class, where definitions offer several.")
        name: str = Field(description="Its name within the component: the one under resources in score.yaml.")
        environment: str = Field("development", description="Name of the environment.")
        entity_ref: str | None = Field(
            None, alias="entityRef", description="The component that it belongs to; without one it is shared."
        )
        owner: str | None = Field(None, description="Who owns it; without it the one that the run names.")
        params: dict[str, Any] = Field(default_factory=dict, description="What the type takes.")
        adopt: bool = Field(False, description="Go over to the definition that fits today, if it is another one.")

    class Output(Outputs):
        """What there is then."""

        id: str = Field(description="Id of the resource.")
        outputs: dict[str, Any] | None = Field(None, description="Its outputs without the secret ones.")
        secret_names: list[str] = Field(
            default_factory=list, alias="secretNames", description="Names of the outputs that only workloads are given."
        )

    def __init__(self, service: ResourceService) -> None:
        self._service = service

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """What would be made by whom, and what it costs. An environment of an earlier step is not known yet."""
        wanted = _wanted(inputs, ctx.owner)
        try:
            preview = self._service.preview(wanted, ctx.actor)
        except NotFound as error:
            if error.code != "environments.not_found" or not ctx.expected("environment", wanted.environment):
                raise
            ctx.note(
                f"Who provides {inputs.type} {inputs.name} is known when there is an environment {wanted.environment}."
            )
            return self.Output(id=wanted.canonical().uid)
        resource = preview.resource
        if preview.op == "none":
            ctx.change("resource", "none", _subject(resource), "is there already")
            return _outputs(resource)
        detail = "is made" if preview.op == "create" else "is made to fit what is asked for"
        facts = {"Environment": resource.environment, "Owner": resource.owner or "nobody", **preview.facts}
        ctx.change("resource", preview.op, _subject(resource), detail, **facts)
        if preview.cost is not None:
            ctx.cost(preview.cost, resource.currency)
        for note in preview.notes:
            ctx.note(note)
        return self.Output(id=resource.id, secret_names=list(preview.secret_names))

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Make it."""
        resource = self._service.request(ctx.actor, _wanted(inputs, ctx.owner), _execution(ctx))
        if resource.entity_ref:
            ctx.link(resource.entity_ref)
        return _outputs(resource)

    def undo(self, ctx: ActionContext, inputs: Any, outputs: Any) -> None:
        """Removes what this step made; its data are kept aside. One that was there before stays as it is."""
        uid = str(outputs["id"])
        if not self._service.made_by(uid, ctx.step_key):
            ctx.log("It was there before this step, and stays.")
            return
        undoing = Execution(f"{ctx.step_key}:undo", ctx.run_id, ctx.log, ctx.cancelled)
        self._service.remove(ctx.actor, uid, undoing, permission=REQUEST)


class RemoveResource(Action):
    """Take a resource away. Its data are moved aside unless they are to be deleted, too."""

    id = REMOVE_ACTION
    title = "Remove a resource"
    permission = REMOVE
    idempotency = "key"
    only_on_server = True
    without_undo = "What was removed may be asked for again; its data are where the step says that they were kept."
    examples = (
        ActionExample(
            title="What a service had, once it is gone",
            yaml="""\
- id: remove
  name: Remove the database
  action: flagstone:resource:remove
  input:
    resource: sqlite-data-development-1c22d0b9d3f1
""",
        ),
    )

    class Input(Inputs):
        """What is removed."""

        resource: str = Field(description="Id of the resource.")
        delete_data: bool = Field(False, alias="deleteData", description="Delete its data for good.")

    class Output(Outputs):
        """What was done."""

        removed: list[str] | None = Field(None, description="What was removed and where data were kept, in words.")

    def __init__(self, service: ResourceService) -> None:
        self._service = service

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """What would be removed, what becomes of its data, and what that saves."""
        found = self._service.removal(ctx.actor, inputs.resource)
        if found.state == "removed":
            ctx.change("resource", "none", _subject(found), "has been removed already")
            return self.Output()
        data = "are deleted for good" if inputs.delete_data else "are kept aside"
        facts = {"Environment": found.environment, "Data": data, "State": found.state}
        ctx.change("resource", "delete", _subject(found), "is removed", **facts)
        if found.monthly_cost:
            ctx.cost(-found.monthly_cost, found.currency)
        return self.Output()

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Remove it."""
        removed = self._service.remove(ctx.actor, inputs.resource, _execution(ctx), delete_data=inputs.delete_data)
        return self.Output(removed=list(removed))


def actions(service: ResourceService) -> list[Action]:
    """All actions of this slice."""
    return [RequestResource(service), RemoveResource(service)]


def _wanted(inputs: Any, owner: str | None) -> Wanted:
    return Wanted(
        type=inputs.type,
        resource_class=inputs.resource_class,
        name=inputs.name,
        environment=inputs.environment,
        entity_ref=inputs.entity_ref,
        owner=inputs.owner,
        claimed=owner,
        params=inputs.params,
        adopt=inputs.adopt,
    )


def _outputs(resource: Resource) -> Outputs:
    return RequestResource.Output(
        id=resource.id, outputs=dict(resource.outputs), secret_names=list(resource.secret_names)
    )


def _subject(resource: Resource) -> str:
    return f"{resource.type} {resource.name} of {resource.entity_ref or resource.environment}"


def _execution(ctx: ActionContext) -> Execution:
    return Execution(ctx.step_key, ctx.run_id, ctx.log, ctx.cancelled)
