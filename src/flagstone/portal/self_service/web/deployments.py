"""``/deployments``: the live log of a workload, and the card of an entity that refreshes itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.portal.self_service.model import DeploymentLine, deployment_line
from flagstone.portal.self_service.permissions import DEPLOYMENT_READ
from flagstone.portal.self_service.service import EntityActions, RunReader, follow_log
from flagstone.portal.self_service.web.runs import RunLine, run_lines
from flagstone.portal.self_service.web.streams import cursor_of, stream
from flagstone.toolkit.web.pages import Pages

_LAST = 100_000


@dataclass(frozen=True, slots=True)
class LogPage:
    """The log of a workload, and what was done with it."""

    line: DeploymentLine
    entity_href: str
    entity_name: str
    history: tuple[RunLine, ...]


@dataclass(frozen=True, slots=True)
class DeploymentsCard:
    """Where an entity runs."""

    ref: str
    lines: tuple[DeploymentLine, ...]
    card_href: str


def deployments_card(actions: EntityActions, principal: Principal, ref: str) -> DeploymentsCard:
    """The content of the card."""
    lines = tuple(deployment_line(view) for view in actions.deployments(principal, ref))
    return DeploymentsCard(ref, lines, f"/deployments/_card?entity={ref}")


def deployment_routes(routes: APIRouter, runs: RunReader, actions: EntityActions, pages: Pages) -> None:
    """Add the pages of deployments."""

    @routes.get("/deployments/_card", response_class=HTMLResponse)
    def card(request: Request, entity: str, principal: Annotated[Principal, permit(DEPLOYMENT_READ)]) -> Response:
        """The card of an entity page, again."""
        return pages.render(request, "self_service/card_deployments.html", deployments_card(actions, principal, entity))

    @routes.get("/deployments/{deployment_id}")
    def show(deployment_id: str, _: Annotated[Principal, permit(DEPLOYMENT_READ)]) -> Response:
        """What there is to see of a deployment is its log."""
        return RedirectResponse(f"/deployments/{deployment_id}/log", 303)

    @routes.get("/deployments/{deployment_id}/log", response_class=HTMLResponse)
    def log(request: Request, deployment_id: str, principal: Annotated[Principal, permit(DEPLOYMENT_READ)]) -> Response:
        """The live log of a workload."""
        view = actions.gateway.get_deployment(deployment_id, principal)
        page = LogPage(
            line=deployment_line(view),
            entity_href="/catalog/" + view.entity_ref.replace(":", "/", 1),
            entity_name=view.entity_ref.rpartition("/")[2],
            history=run_lines(runs.list(principal, subject=view.entity_ref, limit=10).items),
        )
        return pages.render(request, "self_service/log.html", page, fragment="self_service/_log_head.html")

    @routes.get("/deployments/{deployment_id}/log/stream")
    async def log_stream(
        request: Request, deployment_id: str, principal: Annotated[Principal, permit(DEPLOYMENT_READ)]
    ) -> StreamingResponse:
        """New lines as they come (server-sent events)."""
        view = await run_in_threadpool(actions.gateway.get_deployment, deployment_id, principal)
        return stream(follow_log(actions.gateway, principal, view.id, *cursor_of(request, -1)))

    @routes.get("/deployments/{deployment_id}/log.txt")
    def log_text(deployment_id: str, principal: Annotated[Principal, permit(DEPLOYMENT_READ)]) -> Response:
        """The newest lines as text."""
        lines = actions.gateway.deployment_log(deployment_id, principal, limit=_LAST)
        text = "".join(f"{line.at:%Y-%m-%dT%H:%M:%SZ} {line.text}\n" if line.at else f"{line.text}\n" for line in lines)
        return Response(text, media_type="text/plain; charset=utf-8", headers={"X-Content-Type-Options": "nosniff"})
