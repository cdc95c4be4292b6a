"""JSON API of the actions of entities: what only the portal knows (repository, location, owner) is filled in here."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from flagstone.contracts.deployments import DeploymentView
from flagstone.contracts.plans import Plan
from flagstone.contracts.runs import RunView
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Invalid, Problem
from flagstone.portal.self_service.permissions import DEPLOYMENT_CHANGE, DEPLOYMENT_READ
from flagstone.portal.self_service.service import EntityActions

Changing = Annotated[Principal, permit(DEPLOYMENT_CHANGE)]


class EnvironmentBody(BaseModel):
    """Where. Without an environment: the only one that it is deployed to."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    environment: str = Field(default="", max_length=100)
    idempotency_key: str | None = Field(default=None, alias="idempotencyKey", max_length=200)


class DeployBody(EnvironmentBody):
    """Where and what. Without an environment: the first one; without a commit: the newest."""

    commit: str | None = Field(default=None, max_length=64)


class PromoteBody(BaseModel):
    """Where to, and from where: without ``from``, the only environment that the entity is in."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    environment: str = Field(min_length=1, max_length=100)
    source: str = Field(default="", alias="from", max_length=100)
    idempotency_key: str | None = Field(default=None, alias="idempotencyKey", max_length=200)


class DeleteBody(BaseModel):
    """``confirm``, when given, has to be the name of the entity."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    confirm: str | None = None
    plan_digest: str | None = Field(default=None, alias="planDigest", max_length=200)
    idempotency_key: str | None = Field(default=None, alias="idempotencyKey", max_length=200)


class Started(BaseModel):
    """The run that does it."""

    run: RunView


class Planned(BaseModel):
    """What would be done."""

    plan: Plan


class DeploymentItems(BaseModel):
    """Where an entity runs."""

    items: list[DeploymentView]


def router(actions: EntityActions) -> APIRouter:
    """Routes under ``/api/v1/entities``."""
    routes = APIRouter(prefix="/api/v1/entities/{kind}/{namespace}/{name}", tags=["entity actions"])

    @routes.get("/deployments", summary="Where an entity runs")
    def deployments(
        kind: str, namespace: str, name: str, principal: Annotated[Principal, permit(DEPLOYMENT_READ)]
    ) -> DeploymentItems:
        """Deployments in the order of promotion."""
        return DeploymentItems(items=actions.deployments(principal, f"{kind}:{namespace}/{name}".lower()))

    @routes.post("/deploy", summary="Deploy", status_code=202)
    def deploy(kind: str, namespace: str, name: str, principal: Changing, body: DeployBody | None = None) -> Started:
        """Start a run that deploys a commit of the entity's repository."""
        body = body or DeployBody()
        run = actions.deploy(
            principal,
            f"{kind}:{namespace}/{name}",
            body.environment,
            commit=body.commit,
            key=body.idempotency_key,
        )
        return Started(run=run)

    @routes.post("/promote", summary="Promote", status_code=202)
    def promote(kind: str, namespace: str, name: str, principal: Changing, body: PromoteBody) -> Started:
        """Start a run that brings the release of one environment up in a later one."""
        ref = f"{kind}:{namespace}/{name}"
        run = actions.promote(principal, ref, body.environment, source=body.source, key=body.idempotency_key)
        return Started(run=run)

    @routes.post("/stop", summary="Stop", status_code=202)
    def stop(kind: str, namespace: str, name: str, principal: Changing, body: EnvironmentBody | None = None) -> Started:
        """Start a run that stops the workload and keeps it ready."""
        body = body or EnvironmentBody()
        ref = f"{kind}:{namespace}/{name}"
        return Started(run=actions.stop(principal, ref, body.environment, key=body.idempotency_key))

    @routes.post("/start", summary="Start", status_code=202)
    def start(
        kind: str, namespace: str, name: str, principal: Changing, body: EnvironmentBody | None = None
    ) -> Started:
        """Start a run that starts a stopped workload."""
        body = body or EnvironmentBody()
        ref = f"{kind}:{namespace}/{name}"
        return Started(run=actions.start(principal, ref, body.environment, key=body.idempotency_key))

    @routes.post("/delete", summary="Delete, or see what that would remove", status_code=202)
    def delete(
        kind: str,
        namespace: str,
        name: str,
        principal: Changing,
        body: DeleteBody | None = None,
        dry_run: Annotated[bool, Query(description="Only the plan")] = False,
    ) -> Started | Planned:
        """Start a run that removes deployments, catalog location and repository."""
        body = body or DeleteBody()
        ref = f"{kind}:{namespace}/{name}"
        if dry_run:
            return Planned(plan=actions.plan_deletion(principal, ref).plan)
        if body.confirm is not None and body.confirm != name:
            raise Invalid(
                "self_service.not_confirmed",
                f"The name that was given is not {name}.",
                problems=[Problem(f"has to be {name}", field="confirm")],
            )
        return Started(run=actions.delete(principal, ref, plan_digest=body.plan_digest, key=body.idempotency_key))

    return routes
