"""Requests and removals as runs: what buttons, commands and programs ask for."""

from __future__ import annotations

from collections.abc import Callable

from flagstone.contracts.runs import RunRequest, RunView, WorkflowDefinition
from flagstone.contracts.workflows import remove_resource_workflow, request_resource_workflow
from flagstone.kernel.actor import Principal
from flagstone.platform.resources.model import Wanted
from flagstone.platform.resources.service.resources import ResourceService

Submit = Callable[[RunRequest, Principal], RunView]
"""Starts a run."""


class ResourceRuns:
    """Each method starts a run and returns it. Raises what would make it fail at once, before it is started."""

    def __init__(self, service: ResourceService, submit: Submit) -> None:
        self._service = service
        self._submit = submit

    def request(self, actor: Principal, wanted: Wanted) -> RunView:
        """Ask for a resource. Raises Invalid, NotFound, Denied."""
        preview = self._service.preview(wanted, actor)
        resource = preview.resource
        workflow = request_resource_workflow(
            title=f"Request {resource.type} {resource.name} in {resource.environment}",
            type=resource.type,
            name=resource.name,
            environment=resource.environment,
            entity_ref=resource.entity_ref,
            owner=resource.owner,
            resource_class=resource.resource_class,
            params=wanted.params,
            adopt=wanted.adopt,
        )
        return self._start(actor, workflow, resource.entity_ref, resource.owner)

    def remove(self, actor: Principal, uid: str, *, delete_data: bool) -> RunView:
        """Take one away. Raises NotFound, Denied, Conflict while it is in use."""
        found = self._service.removal(actor, uid)
        title = f"Remove {found.type} {found.name} in {found.environment}"
        workflow = remove_resource_workflow(title=title, resource_id=uid, delete_data=delete_data)
        return self._start(actor, workflow, found.entity_ref, found.owner)

    def _start(
        self, actor: Principal, workflow: WorkflowDefinition, entity_ref: str | None, owner: str | None
    ) -> RunView:
        subjects = (entity_ref,) if entity_ref else ()
        return self._submit(RunRequest(workflow=workflow, subjects=subjects, owner=owner), actor)
