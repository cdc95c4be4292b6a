"""JSON API of notifications and deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from flagstone.foundation.notifications.model import Delivery, Kind, State
from flagstone.foundation.notifications.permissions import DELIVERIES, OWN, RETRY
from flagstone.foundation.notifications.service import Notifier, Reading
from flagstone.kernel.actor import Principal
from flagstone.sdk.guards import permit

Me = Annotated[Principal, permit(OWN)]
Keeper = Annotated[Principal, permit(DELIVERIES)]
Mender = Annotated[Principal, permit(RETRY)]
Cursor = Annotated[str | None, Query(max_length=1000)]
Limit = Annotated[int | None, Query(ge=1)]


class NotificationView(BaseModel):
    """What somebody was told in the portal."""

    id: str
    topic: str
    title: str
    text: str
    url: str
    facts: dict[str, str]
    at: datetime
    read: bool


class NotificationList(BaseModel):
    """A page of them, and how many of all are new."""

    items: list[NotificationView]
    next_cursor: str | None = None
    unread: int


class DeliveryView(BaseModel):
    """One notification on its way out. ``error`` is what went wrong at the last try."""

    id: str
    kind: Kind
    channel: str
    recipient: str
    topic: str
    title: str
    state: State
    tries: int
    error: str
    created_at: datetime
    next_at: datetime | None
    ended_at: datetime | None


class DeliveryList(BaseModel):
    """A page of deliveries, and how many of all are dead."""

    items: list[DeliveryView]
    next_cursor: str | None = None
    dead: int


class ChannelView(BaseModel):
    """A way out that the settings name."""

    name: str
    kind: Kind
    topics: list[str]
    groups: list[str]


class Count(BaseModel):
    """How many."""

    count: int


def router(reading: Reading, notifier: Notifier) -> APIRouter:
    """Routes under ``/api/v1/notifications``."""
    routes = APIRouter(prefix="/api/v1/notifications", tags=["notifications"])

    @routes.get("", summary="What the caller was told, newest first")
    def list_own(principal: Me, cursor: Cursor = None, limit: Limit = None) -> NotificationList:
        page = reading.own(principal, cursor=cursor, limit=limit)
        items = [_told(item) for item in page.items]
        return NotificationList(items=items, next_cursor=page.next_cursor, unread=reading.unread(principal))

    @routes.post("/read", summary="Mark all of one's own as read")
    def mark_read(principal: Me) -> Count:
        return Count(count=reading.mark_read(principal))

    @routes.get("/channels", summary="Ways out")
    def list_channels(_principal: Keeper) -> list[ChannelView]:
        return [
            ChannelView(name=item.name, kind=item.kind, topics=list(item.topics), groups=list(item.groups))
            for item in notifier.channels
        ]

    @routes.post("/channels/{name}/test", status_code=202, summary="Send a test to a channel")
    def try_channel(name: str, principal: Mender) -> None:
        reading.try_channel(name, principal)

    @routes.get("/deliveries", summary="What leaves the house, newest first")
    def list_deliveries(
        principal: Keeper,
        state: State | None = None,
        channel: Annotated[str | None, Query(max_length=100)] = None,
        cursor: Cursor = None,
        limit: Limit = None,
    ) -> DeliveryList:
        page = reading.deliveries(principal, state=state, channel=channel, cursor=cursor, limit=limit)
        return DeliveryList(
            items=[_sent(item) for item in page.items], next_cursor=page.next_cursor, dead=reading.dead()
        )

    @routes.post("/deliveries/{delivery_id}/retry", summary="Try a dead delivery again")
    def retry(delivery_id: str, principal: Mender) -> DeliveryView:
        return _sent(reading.retry(delivery_id, principal))

    return routes


def _told(item: Delivery) -> NotificationView:
    return NotificationView(
        id=item.id,
        topic=item.topic,
        title=item.body.title,
        text=item.body.text,
        url=item.body.url,
        facts=dict(item.body.facts),
        at=item.created_at,
        read=item.read_at is not None,
    )


def _sent(item: Delivery) -> DeliveryView:
    return DeliveryView(
        id=item.id,
        kind=item.kind,
        channel=item.channel,
        recipient=item.recipient,
        topic=item.topic,
        title=item.body.title,
        state=item.state,
        tries=item.tries,
        error=item.error,
        created_at=item.created_at,
        next_at=item.next_at if item.state == "pending" else None,
        ended_at=item.ended_at,
    )
