"""Acting on an entity: each action is a run of a small workflow, allowed for its owners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flagstone.contracts.deployments import DeploymentView, EnvironmentView
from flagstone.contracts.gateway import DeploymentQuery, GatewayInfo, RunGateway
from flagstone.contracts.plans import Plan
from flagstone.contracts.runs import RunRequest, RunView, WorkflowDefinition
from flagstone.contracts.workflows import (
    delete_workflow,
    deploy_workflow,
    promote_workflow,
    start_workflow,
    stop_workflow,
)
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict, Invalid, NotFound, Problem
from flagstone.portal.catalog import CatalogService, Entity
from flagstone.portal.self_service.model import DeploymentLine, Origin, deployment_line, origin_of
from flagstone.portal.self_service.permissions import DEPLOYMENT_CHANGE
from flagstone.toolkit.web.once import once

_ALL = 200


@dataclass(frozen=True, slots=True)
class Standing:
    """What can be done with an entity by a person: its deployments, where it may go, and whether they may."""

    entity: Entity
    origin: Origin | None
    lines: tuple[DeploymentLine, ...]
    environments: tuple[EnvironmentView, ...]
    platform: GatewayInfo
    allowed: bool
    reason: str
    hint: str

    @property
    def has_actions(self) -> bool:
        """Whether there is anything to do with it at all."""
        return self.platform.connected and (self.deployable or bool(self.lines))

    @property
    def promotions(self) -> list[tuple[str, str]]:
        """(from, to): what runs somewhere, and the first environment that comes later, unless it runs there already."""
        running = {line.view.environment: line.view.release for line in self.lines}
        found = []
        for line in self.lines:
            here, release = line.view.environment, line.view.release
            to = next(iter(_later(here, self.environments)), None)
            if release is None or line.busy or to is None:
                continue
            there = running.get(to)
            if there is None or there.id != release.id:
                found.append((here, to))
        return found

    @property
    def deployable(self) -> bool:
        """Whether its repository is one that the platform deploys from."""
        return self.origin is not None and self.platform.can_deploy and self.entity.kind.lower() == "component"


@dataclass(frozen=True, slots=True)
class Deletion:
    """What deleting an entity would remove."""

    entity: Entity
    plan: Plan


class EntityActions:
    """Deploy, promote, stop, start, delete."""

    def __init__(self, gateway: RunGateway, catalog: CatalogService, access: AccessService, audit: AuditLog) -> None:
        self.gateway = gateway
        self._catalog = catalog
        self._access = access
        self._audit = audit

    def deployments(self, principal: Principal, ref: str) -> list[DeploymentView]:
        """Where an entity runs, in the order of the environments' promotion."""
        query = DeploymentQuery(entity_ref=ref, limit=_ALL)
        found = once(("deployments", query, principal), lambda: self.gateway.list_deployments(query, principal).items)
        if len(found) < 2:
            return [*found]
        order = {item.name: place for place, item in enumerate(self.gateway.list_environments(principal))}
        return sorted(
            found, key=lambda item: (order.get(item.environment, len(order)), item.environment, item.workload)
        )

    def standing(self, principal: Principal, ref: str) -> Standing:
        """Everything that the buttons of an entity need. Raises NotFound."""
        entity = self._catalog.get(ref)
        platform = self.gateway.info()
        decision = self._access.decide(principal, DEPLOYMENT_CHANGE, owner=entity.owner)
        views = self.deployments(principal, entity.ref) if platform.connected else []
        origin = origin_of(entity.data)
        # Where there is nothing to deploy and nothing deployed, nobody asks where it may go.
        acting = platform.connected and (origin is not None or bool(views))
        environments = tuple(self.gateway.list_environments(principal)) if acting else ()
        return Standing(
            entity=entity,
            origin=origin,
            lines=tuple(deployment_line(view) for view in views),
            environments=environments,
            platform=platform,
            allowed=decision.allowed,
            reason=decision.reason,
            hint=decision.hint,
        )

    def deploy(
        self, principal: Principal, ref: str, environment: str, *, commit: str | None = None, key: str | None = None
    ) -> RunView:
        """Deploy a commit, the newest by default, to an environment, the first by default.

        Raises Invalid when its repository is not hosted here.
        """
        entity = self._may(principal, ref)
        origin = origin_of(entity.data)
        if origin is None:
            raise _not_hosted(entity)
        environment = self._environment(principal, environment)
        definition = deploy_workflow(
            title=f"Deploy {entity.title} to {environment}",
            repository=origin.repository,
            environment=environment,
            entity_ref=entity.ref,
            commit=commit,
        )
        return self._submit(principal, entity, "deploy", definition, key)

    def _environment(self, principal: Principal, name: str) -> str:
        """The environment to deploy to. Raises Invalid for one that is not there."""
        known = [item.name for item in self.gateway.list_environments(principal)]
        if name in known:
            return name
        if not name and known:
            return known[0]
        raise Invalid(
            "self_service.no_environment",
            f"There is no environment {name!r}." if name else "There is no environment to deploy to.",
            hint=f"There are: {', '.join(known)}." if known else "An administrator adds environments.",
            problems=[Problem("is not an environment", field="environment")] if name else (),
        )

    def promote(
        self, principal: Principal, ref: str, environment: str, *, source: str = "", key: str | None = None
    ) -> RunView:
        """Bring the release that runs in ``source`` ("": the only environment it is in) up in a later environment."""
        entity = self._may(principal, ref)
        if not environment:
            raise Invalid("self_service.no_environment", "Where the release goes was not said.", hint="Name it.")
        environment = self._environment(principal, environment)
        found = self._in(principal, entity, source, but=environment)
        if environment not in _later(found.environment, self.gateway.list_environments(principal)):
            raise Invalid(
                "self_service.not_later",
                f"{environment} does not come after {found.environment} in the order of promotion.",
                hint="Deploy to it, or roll back there.",
                problems=[Problem("does not come later", field="environment")],
            )
        definition = promote_workflow(
            title=f"Promote {entity.title} from {found.environment} to {environment}",
            deployment_id=found.id,
            environment=environment,
            entity_ref=entity.ref,
        )
        return self._submit(principal, entity, "promote", definition, key)

    def stop(self, principal: Principal, ref: str, environment: str, *, key: str | None = None) -> RunView:
        """End the workload in an environment ("": the only one it is in) and keep it ready to be started."""
        entity = self._may(principal, ref)
        found = self._in(principal, entity, environment)
        definition = stop_workflow(title=f"Stop {entity.title} in {found.environment}", deployment_id=found.id)
        return self._submit(principal, entity, "stop", definition, key)

    def start(self, principal: Principal, ref: str, environment: str, *, key: str | None = None) -> RunView:
        """Start a stopped workload with the release it had."""
        entity = self._may(principal, ref)
        found = self._in(principal, entity, environment)
        definition = start_workflow(title=f"Start {entity.title} in {found.environment}", deployment_id=found.id)
        return self._submit(principal, entity, "start", definition, key)

    def plan_deletion(self, principal: Principal, ref: str) -> Deletion:
        """What would be removed; nothing is changed."""
        entity = self._may(principal, ref)
        request = self._request(entity, self._deletion(principal, entity))
        return Deletion(entity, self.gateway.plan(request, principal))

    def delete(
        self, principal: Principal, ref: str, *, plan_digest: str | None = None, key: str | None = None
    ) -> RunView:
        """Remove deployments, location and repository. Raises Conflict when the plan is not the one that was seen."""
        entity = self._may(principal, ref)
        definition = self._deletion(principal, entity)
        return self._submit(principal, entity, "delete", definition, key, plan_digest)

    def _deletion(self, principal: Principal, entity: Entity) -> WorkflowDefinition:
        origin = origin_of(entity.data)
        if origin is None:
            raise _not_hosted(entity)
        return delete_workflow(
            title=f"Delete {entity.title}",
            entity_ref=entity.ref,
            deployment_ids=tuple(view.id for view in self.deployments(principal, entity.ref)),
            repository=origin.repository,
            location=("hosted", origin.target),
        )

    def _may(self, principal: Principal, ref: str) -> Entity:
        entity = self._catalog.get(ref)
        self._access.check(principal, DEPLOYMENT_CHANGE, owner=entity.owner, resource=entity.ref)
        return entity

    def _in(self, principal: Principal, entity: Entity, environment: str, *, but: str = "") -> DeploymentView:
        everywhere = self.deployments(principal, entity.ref)
        found = [view for view in everywhere if environment in ("", view.environment) and view.environment != but]
        if not found:
            raise NotFound(
                "self_service.not_deployed",
                f"{entity.title} is not deployed to {environment or 'that environment'}.",
                hint="Deploy it first.",
            )
        if len(found) > 1:
            raise Conflict(
                "self_service.many_workloads",
                f"{entity.title} has several deployments in {environment or 'several environments'}.",
                hint="Name the environment.",
            )
        return found[0]

    def _request(
        self, entity: Entity, definition: WorkflowDefinition, key: str | None = None, plan_digest: str | None = None
    ) -> RunRequest:
        return RunRequest(
            workflow=definition,
            subjects=(entity.ref,),
            owner=entity.owner,
            idempotency_key=f"{entity.uid}:{key}" if key else None,
            plan_digest=plan_digest,
        )

    def _submit(
        self,
        principal: Principal,
        entity: Entity,
        verb: str,
        definition: WorkflowDefinition,
        key: str | None,
        plan_digest: str | None = None,
    ) -> RunView:
        run = self.gateway.submit(self._request(entity, definition, key, plan_digest), principal)
        self._audit.record(principal, f"self_service.entity.{verb}", entity.ref, detail={"run": run.id})
        return run


def _later(name: str, environments: Sequence[EnvironmentView]) -> list[str]:
    """Environments of types that come after the one of an environment, in the order of promotion."""
    order = [item.name for item in environments]
    if name not in order:
        return []
    at = order.index(name)
    return [item.name for item in environments[at + 1 :] if item.type != environments[at].type]


def _not_hosted(entity: Entity) -> Invalid:
    return Invalid(
        "self_service.not_hosted",
        f"{entity.title} does not come from a repository of the built-in git hosting.",
        hint="Only those can be deployed and deleted from here; change it where its file is.",
    )
