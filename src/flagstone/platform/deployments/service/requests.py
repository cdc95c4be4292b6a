"""Changes of deployments as runs: what buttons, commands and programs ask for."""

from __future__ import annotations

from collections.abc import Callable

from flagstone.contracts.runs import RunRequest, RunView, StepDefinition, WorkflowDefinition
from flagstone.contracts.workflows import deploy_workflow, promote_workflow, start_workflow, stop_workflow
from flagstone.foundation.access import AccessService
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import NotFound
from flagstone.platform.deployments.model import Deployment, deployment_id
from flagstone.platform.deployments.permissions import WRITE
from flagstone.platform.deployments.service.preparation import Preparation
from flagstone.platform.deployments.store import DeploymentStore

Submit = Callable[[RunRequest, Principal], RunView]
"""Starts a run."""


class DeploymentRuns:
    """Each method starts a run and returns it. Raises Denied before a run is started by somebody who may not."""

    def __init__(self, store: DeploymentStore, preparation: Preparation, access: AccessService, submit: Submit) -> None:
        self._store = store
        self._preparation = preparation
        self._access = access
        self._submit = submit

    def deploy(
        self, actor: Principal, *, repository: str, environment: str, entity_ref: str | None, commit: str | None
    ) -> RunView:
        """Deploy a commit of a repository. Raises NotFound and Invalid for what cannot be deployed at all."""
        prepared = self._preparation.prepare(repository, commit, environment, entity_ref, None)
        place = deployment_id(prepared.workload.entity_ref, environment)
        known = self._store.get(place)
        owner = known.owner if known else prepared.owner
        self._access.check(actor, WRITE, owner=owner, resource=f"deployment:{place}")
        workflow = deploy_workflow(
            title=f"Deploy {prepared.workload.name} to {environment}",
            repository=repository,
            environment=environment,
            entity_ref=prepared.workload.entity_ref,
            commit=prepared.commit.id,
        )
        return self._start(actor, workflow, prepared.workload.entity_ref, owner)

    def redeploy(self, actor: Principal, place: str, *, commit: str | None) -> RunView:
        """Deploy a commit (default: head of the default branch) of the repository that it comes from."""
        found = self._allowed(actor, place)
        return self.deploy(
            actor,
            repository=found.repository,
            environment=found.environment,
            entity_ref=found.entity_ref,
            commit=commit,
        )

    def rollback(self, actor: Principal, place: str, *, release: str | None) -> RunView:
        """Go back to an earlier release."""
        found = self._allowed(actor, place)
        inputs = {"deployment": place, **({"release": release} if release else {})}
        return self._one_step(actor, found, "rollback", "Roll back", "flagstone:rollback", inputs)

    def promote(self, actor: Principal, place: str, *, environment: str) -> RunView:
        """Bring its release up in a later environment."""
        found = self._allowed(actor, place)
        workflow = promote_workflow(
            title=f"Promote {found.workload} from {found.environment} to {environment}",
            deployment_id=place,
            environment=environment,
            entity_ref=found.entity_ref,
        )
        return self._start(actor, workflow, found.entity_ref, found.owner)

    def stop(self, actor: Principal, place: str) -> RunView:
        """Stop it."""
        found = self._allowed(actor, place)
        workflow = stop_workflow(title=f"Stop {found.workload} in {found.environment}", deployment_id=place)
        return self._start(actor, workflow, found.entity_ref, found.owner)

    def start(self, actor: Principal, place: str) -> RunView:
        """Start it again."""
        found = self._allowed(actor, place)
        workflow = start_workflow(title=f"Start {found.workload} in {found.environment}", deployment_id=place)
        return self._start(actor, workflow, found.entity_ref, found.owner)

    def remove(self, actor: Principal, place: str) -> RunView:
        """Remove it."""
        found = self._allowed(actor, place)
        return self._one_step(actor, found, "undeploy", "Remove", "flagstone:undeploy", {"deployment": place})

    def _one_step(
        self, actor: Principal, found: Deployment, name: str, verb: str, action: str, inputs: dict[str, str]
    ) -> RunView:
        title = f"{verb} {found.workload} in {found.environment}"
        step = StepDefinition(id=name, name=title, action=action, input=inputs)
        return self._start(
            actor, WorkflowDefinition(name=name, title=title, steps=(step,)), found.entity_ref, found.owner
        )

    def _start(self, actor: Principal, workflow: WorkflowDefinition, entity_ref: str, owner: str | None) -> RunView:
        return self._submit(RunRequest(workflow=workflow, subjects=(entity_ref,), owner=owner), actor)

    def _allowed(self, actor: Principal, place: str) -> Deployment:
        found = self._store.get(place)
        if found is None:
            raise NotFound("deployments.not_found", f"There is no deployment {place!r}.")
        self._access.check(actor, WRITE, owner=found.owner, resource=f"deployment:{place}")
        return found
