"""What a portal at the other end of a network asks for, beyond runs, deployments and repositories."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from flagstone.contracts.events import Event
from flagstone.contracts.gateway import GatewayInfo
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.platform.door.service import LocalGateway


def router(gateway: LocalGateway) -> APIRouter:
    """The routes over a gateway."""
    api = APIRouter(prefix="/api/v1/gateway", tags=["gateway"])

    @api.get("", summary="What this platform can do")
    def info(_: Annotated[Principal, permit("door.gateway.read")]) -> GatewayInfo:
        return gateway.info()

    @api.get("/events", summary="Events after a cursor; waits for the first one if asked")
    def events(
        _: Annotated[Principal, permit("door.events.read")],
        after: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 500,
        wait: Annotated[float, Query(ge=0, le=30)] = 0,
    ) -> list[Event]:
        return gateway.events(after=after, limit=limit, wait=wait)

    return api
