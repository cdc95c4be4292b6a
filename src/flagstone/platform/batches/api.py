"""JSON API of batches."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, status
from pydantic import BaseModel

from flagstone.contracts.batches import (
    BatchChange,
    BatchItemView,
    BatchState,
    BatchVerb,
    BatchView,
    ItemState,
    NewBatch,
)
from flagstone.kernel.actor import Principal
from flagstone.platform.batches.permissions import READ, START
from flagstone.platform.batches.service import BatchService
from flagstone.sdk.guards import permit

Reader = Annotated[Principal, permit(READ)]


class BatchList(BaseModel):
    """A page of batches."""

    items: list[BatchView]
    next_cursor: str | None = None


class BatchItemList(BaseModel):
    """A page of the entities of a batch."""

    items: list[BatchItemView]
    next_cursor: str | None = None


def router(service: BatchService) -> APIRouter:
    """Routes under ``/api/v1/batches``."""
    routes = APIRouter(prefix="/api/v1/batches", tags=["batches"])

    @routes.get("", summary="Batches")
    def list_batches(
        actor: Reader,
        state: Annotated[tuple[BatchState, ...], Query()] = (),
        cursor: str | None = None,
        limit: int | None = None,
    ) -> BatchList:
        """Newest first, with their progress."""
        page = service.list(actor, state=state, cursor=cursor, limit=limit)
        return BatchList(items=list(page.items), next_cursor=page.next_cursor)

    @routes.post("", summary="Start a batch of what the portal prepared", status_code=status.HTTP_201_CREATED)
    def start_batch(body: NewBatch, actor: Annotated[Principal, permit(START)]) -> BatchView:
        """One workflow with the inputs of each entity. People use ``/api/v1/templates/…/batches``, which finds them."""
        return service.start(body, actor)

    @routes.get("/{batch_id}", summary="One batch")
    def get_batch(batch_id: str, actor: Reader) -> BatchView:
        """With its progress."""
        return service.get(batch_id, actor)

    @routes.get("/{batch_id}/items", summary="The entities of a batch")
    def list_items(
        batch_id: str,
        actor: Reader,
        state: Annotated[tuple[ItemState, ...], Query()] = (),
        cursor: str | None = None,
        limit: int | None = None,
    ) -> BatchItemList:
        """In their order, with their runs."""
        page = service.items(batch_id, actor, state=state, cursor=cursor, limit=limit)
        return BatchItemList(items=list(page.items), next_cursor=page.next_cursor)

    @routes.post("/{batch_id}/{verb}", summary="Pause, continue, cancel or retry a batch")
    def change_batch(batch_id: str, verb: BatchVerb, actor: Reader, body: BatchChange | None = None) -> BatchView:
        """``retry`` starts what failed or was cancelled again; ``continue`` goes on after a pause or a stop.

        A retry may be given other ``secrets``, and needs them when those of before were deleted.
        """
        return service.change(batch_id, verb, actor, body.secrets if body else None)

    return routes
