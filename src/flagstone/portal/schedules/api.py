"""JSON API: schedules of golden paths. All others are at the platform's ``/api/v1/triggers``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, status
from pydantic import Field

from flagstone.contracts.triggers import TriggerView
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.portal.schedules.permissions import WRITE
from flagstone.portal.schedules.service import ScheduleService, When


class ScheduleBody(When):
    """When, and with which answers. Those of an event trigger may hold expressions over ``event``."""

    values: dict[str, Any] = Field(default_factory=dict)
    entity: str | None = Field(default=None, max_length=300)
    """Ref of the entity that a day-2 action is about."""


def router(service: ScheduleService) -> APIRouter:
    """The route."""
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

    return routes
