"""Pages: what I was told, and for those who keep the installation: what could not be delivered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from flagstone.foundation.access import AccessService, permit
from flagstone.foundation.notifications.model import TOPICS, Delivery, State
from flagstone.foundation.notifications.permissions import DELIVERIES, OWN, RETRY
from flagstone.foundation.notifications.service import Notifier, Reading
from flagstone.foundation.notifications.settings import ChannelSetting
from flagstone.kernel.actor import Principal
from flagstone.toolkit.web.pages import Pages

Me = Annotated[Principal, permit(OWN)]
Keeper = Annotated[Principal, permit(DELIVERIES)]
Mender = Annotated[Principal, permit(RETRY)]
Cursor = Annotated[str | None, Query(max_length=1000)]
Done = Annotated[str, Query(max_length=20)]

_OWN_TAB = ("own", "Yours", "/notifications")
_DELIVERIES_TAB = ("deliveries", "Deliveries", "/notifications/deliveries")
_DONE = {
    "read": "All notifications are marked as read.",
    "retry": "The delivery is tried again now.",
    "test": "The test is on its way; see below how it went.",
}


@dataclass(frozen=True, slots=True)
class OwnPage:
    """What I was told."""

    tabs: tuple[tuple[str, str, str], ...]
    items: tuple[Delivery, ...]
    more: str | None
    unread: int
    done: str


@dataclass(frozen=True, slots=True)
class DeliveriesPage:
    """What leaves the house."""

    tabs: tuple[tuple[str, str, str], ...]
    items: tuple[Delivery, ...]
    more: str | None
    state: str
    dead: int
    channels: tuple[ChannelSetting, ...]
    topics: dict[str, str]
    may_retry: bool
    done: str


def router(reading: Reading, notifier: Notifier, access: AccessService, pages: Pages) -> APIRouter:
    """Everything under ``/notifications``."""
    web = APIRouter(prefix="/notifications", include_in_schema=False)

    @web.get("")
    def own(request: Request, principal: Me, cursor: Cursor = None, done: Done = "") -> Response:
        page = reading.own(principal, cursor=cursor)
        keeper = access.decide(principal, DELIVERIES).allowed
        tabs = (_OWN_TAB, _DELIVERIES_TAB) if keeper else ()
        more = f"/notifications?{urlencode({'cursor': page.next_cursor})}" if page.next_cursor else None
        shown = OwnPage(tabs, page.items, more, reading.unread(principal), _DONE.get(done, ""))
        return pages.render(request, "notifications/own.html", shown)

    @web.post("/read")
    def mark_read(principal: Me) -> Response:
        reading.mark_read(principal)
        return RedirectResponse("/notifications?done=read", 303)

    @web.get("/deliveries")
    def deliveries(
        request: Request, principal: Keeper, state: State | None = None, cursor: Cursor = None, done: Done = ""
    ) -> Response:
        page = reading.deliveries(principal, state=state, cursor=cursor)
        kept = {"state": state} if state else {}
        more = f"/notifications/deliveries?{urlencode({**kept, 'cursor': page.next_cursor})}"
        shown = DeliveriesPage(
            (_OWN_TAB, _DELIVERIES_TAB),
            page.items,
            more if page.next_cursor else None,
            state or "",
            reading.dead(),
            notifier.channels,
            TOPICS,
            access.decide(principal, RETRY).allowed,
            _DONE.get(done, ""),
        )
        return pages.render(request, "notifications/deliveries.html", shown)

    @web.post("/deliveries/{delivery_id}/retry")
    def retry(delivery_id: str, principal: Mender) -> Response:
        reading.retry(delivery_id, principal)
        return RedirectResponse("/notifications/deliveries?done=retry", 303)

    @web.post("/channels/{name}/test")
    def try_channel(name: str, principal: Mender) -> Response:
        reading.try_channel(name, principal)
        return RedirectResponse("/notifications/deliveries?done=test", 303)

    return web
