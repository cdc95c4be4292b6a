"""The home page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response

from flagstone.contracts.gateway import GatewayInfo, RunGateway
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.portal.catalog import CardRegistry, ShownCard
from flagstone.sdk import CardContext
from flagstone.toolkit.web.pages import Pages


@dataclass(frozen=True)
class HomePage:
    """Two columns of cards."""

    name: str
    main: list[ShownCard]
    side: list[ShownCard]
    gateway: GatewayInfo


def router(cards: CardRegistry, gateway: RunGateway, pages: Pages) -> APIRouter:
    """The page."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    def home(request: Request, principal: Annotated[Principal, permit("home.page.read")]) -> Response:
        ctx = CardContext(principal)
        page = HomePage(
            principal.name, cards.show("home.main", ctx, request), cards.show("home.side", ctx, request), gateway.info()
        )
        return pages.render(request, "home/home.html", page)

    return routes
