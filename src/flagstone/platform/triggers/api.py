"""JSON API of schedules and event triggers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, status
from pydantic import BaseModel, ConfigDict

from flagstone.contracts.runs import RunView
from flagstone.contracts.triggers import NewTrigger, TriggerChange, TriggerKind, TriggerView
from flagstone.kernel.actor import Principal
from flagstone.platform.triggers.permissions import CREATE, READ
from flagstone.platform.triggers.service import TriggerService
from flagstone.sdk.guards import permit

Reader = Annotated[Principal, permit(READ)]
Writer = Annotated[Principal, permit(CREATE)]


class TriggerList(BaseModel):
    """A page of triggers."""

    items: list[TriggerView]
    next_cursor: str | None = None


class PauseBody(BaseModel):
    """Whether it rests."""

    model_config = ConfigDict(extra="forbid")

    paused: bool


def router(service: TriggerService) -> APIRouter:
    """Routes under ``/api/v1/triggers``."""
    routes = APIRouter(prefix="/api/v1/triggers", tags=["triggers"])

    @routes.get("", summary="Schedules and event triggers")
    def list_triggers(
        actor: Reader, kind: TriggerKind | None = None, cursor: str | None = None, limit: int | None = None
    ) -> TriggerList:
        """Newest first."""
        page = service.list(actor, kind=kind, cursor=cursor, limit=limit)
        return TriggerList(items=list(page.items), next_cursor=page.next_cursor)

    @routes.post("", summary="Make a schedule or an event trigger", status_code=status.HTTP_201_CREATED)
    def create_trigger(body: NewTrigger, actor: Writer) -> TriggerView:
        """It acts as the caller, with the role that the caller has when a run starts."""
        return service.create(body, actor)

    @routes.get("/{trigger_id}", summary="One schedule or event trigger")
    def get_trigger(trigger_id: str, actor: Reader) -> TriggerView:
        """With its next due times, and what it started last."""
        return service.get(trigger_id, actor)

    @routes.put("/{trigger_id}", summary="Change when it starts, or what it runs")
    def change_trigger(trigger_id: str, body: TriggerChange, actor: Reader) -> TriggerView:
        """What is left out stays as it is. From then on it acts as the caller."""
        return service.change(trigger_id, body, actor)

    @routes.patch("/{trigger_id}", summary="Pause it, or let it go on")
    def pause_trigger(trigger_id: str, body: PauseBody, actor: Reader) -> TriggerView:
        """What is due while it is paused is not made up for."""
        return service.pause(trigger_id, actor, paused=body.paused)

    @routes.post("/{trigger_id}/run", summary="Run a schedule now", status_code=status.HTTP_201_CREATED)
    def run_trigger(trigger_id: str, actor: Reader) -> RunView:
        """As the caller; its due times stay as they are."""
        return service.run(trigger_id, actor)

    @routes.delete("/{trigger_id}", summary="Delete it")
    def delete_trigger(trigger_id: str, actor: Reader) -> TriggerView:
        """Its runs stay."""
        return service.delete(trigger_id, actor)

    return routes
