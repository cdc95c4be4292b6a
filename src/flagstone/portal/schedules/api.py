"""JSON API: schedules of golden paths. All others are at the platform's ``/api/v1/triggers``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, status
from pydantic import BaseModel, ConfigDict, Field

from flagstone.contracts.plans import Plan
from flagstone.contracts.triggers import TriggerView
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.portal.schedules.permissions import READ, WRITE
from flagstone.portal.schedules.service import ScheduleService, Version, VersionService, When


class ScheduleBody(When):
    """When, and with which answers. Those of an event trigger may hold expressions over ``event``."""

    values: dict[str, Any] = Field(default_factory=dict)
    entity: str | None = Field(default=None, max_length=300)
    """Ref of the entity that a day-2 action is about."""


class AnswersBody(BaseModel):
    """Answers for the new version; left out, those that it has."""

    model_config = ConfigDict(extra="forbid")

    values: dict[str, Any] | None = None


class VersionView(BaseModel):
    """How a schedule or event trigger stands to its golden path."""

    template_ref: str | None
    current: str
    """Digest of the version that its runs execute."""
    newest: str | None
    """Digest of the golden path as it is now; null when it is gone."""
    newer: bool
    problems: list[str]
    """Why its answers do not fit the newer version."""


class VersionPlan(BaseModel):
    """What its runs would do; null for an event trigger."""

    plan: Plan | None


def router(service: ScheduleService, versions: VersionService) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["triggers"])

    @routes.post(
        "/api/v1/templates/{namespace}/{name}/schedules",
        summary="Run a golden path on a schedule",
        status_code=status.HTTP_201_CREATED,
    )
    def create_schedule(
        namespace: str, name: str, body: ScheduleBody, principal: Annotated[Principal, permit(WRITE)]
    ) -> TriggerView:
        """The golden path as it is now; its runs act as the caller, with the role that the caller has then."""
        when = When(**body.model_dump(exclude={"values", "entity"}))
        return service.create(principal, service.path(namespace, name), body.values, when, entity_ref=body.entity)

    @routes.get("/api/v1/schedules/{ident}/version", summary="A schedule beside its golden path as it is now")
    def get_version(ident: str, principal: Annotated[Principal, permit(READ)]) -> VersionView:
        """Whether there is a newer version of what it runs, and whether its answers fit."""
        return _view(versions.of(principal, ident))

    @routes.post("/api/v1/schedules/{ident}/version/plan", summary="What its runs would do with the new version")
    def plan_version(ident: str, body: AnswersBody, principal: Annotated[Principal, permit(WRITE)]) -> VersionPlan:
        """Nothing is changed. Of an event trigger the answers are checked only: there is no plan before an event."""
        return VersionPlan(plan=versions.plan(principal, ident, _answers(service, principal, ident, body)))

    @routes.put("/api/v1/schedules/{ident}/version", summary="Use the new version")
    def use_version(ident: str, body: AnswersBody, principal: Annotated[Principal, permit(WRITE)]) -> TriggerView:
        """It runs the golden path as it is now, with these answers, and from then on acts as the caller."""
        return versions.use(principal, ident, _answers(service, principal, ident, body))

    return routes


def _answers(service: ScheduleService, principal: Principal, ident: str, body: AnswersBody) -> dict[str, Any]:
    return dict(service.get(principal, ident).inputs) if body.values is None else body.values


def _view(version: Version) -> VersionView:
    return VersionView(
        template_ref=version.item.template_ref,
        current=version.item.template_version,
        newest=version.path.version if version.path else None,
        newer=version.newer,
        problems=[f"{item.field}: {item.message}" if item.field else item.message for item in version.problems],
    )
