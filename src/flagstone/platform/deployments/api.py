"""JSON API of deployments. Everything that changes one starts a run and answers with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, status
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict

from flagstone.contracts.deployments import DeploymentView, LogLine, ReleaseView
from flagstone.contracts.gateway import DeploymentQuery
from flagstone.contracts.runs import RunView
from flagstone.kernel.actor import Principal
from flagstone.platform.deployments.model import HistoryEntry
from flagstone.platform.deployments.permissions import LOG, READ, WRITE
from flagstone.platform.deployments.service import DeploymentRuns, DeploymentService
from flagstone.sdk.guards import permit

Reader = Annotated[Principal, permit(READ)]
LogReader = Annotated[Principal, permit(LOG)]
Writer = Annotated[Principal, permit(WRITE)]
Cursor = Annotated[str | None, Query(max_length=1000)]
Limit = Annotated[int | None, Query(ge=1)]
After = Annotated[int, Query(ge=-1, description="Sequence number of the last line that is known; -1: the last lines.")]


class DeploymentList(BaseModel):
    """A page of deployments."""

    items: list[DeploymentView]
    next_cursor: str | None = None
    total: int | None = None


class LogLines(BaseModel):
    """Lines of a log, oldest first."""

    items: list[LogLine]


class ReleaseList(BaseModel):
    """A page of releases."""

    items: list[ReleaseView]
    next_cursor: str | None = None


class HistoryItem(BaseModel):
    """One thing that was done."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    operation: str
    version: str
    release_id: str | None
    run_id: str | None
    actor: str
    actor_name: str
    outcome: str
    message: str
    started_at: datetime
    ended_at: datetime | None
    seconds: float | None
    detail: dict[str, Any]


class HistoryList(BaseModel):
    """A page of the history, newest first."""

    items: list[HistoryItem]
    next_cursor: str | None = None


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DeployBody(_Body):
    """What to deploy, and where to."""

    repository: str
    environment: str = "development"
    entity_ref: str | None = None
    commit: str | None = None


class RedeployBody(_Body):
    """What to deploy again."""

    commit: str | None = None


class PromoteBody(_Body):
    """Where it goes."""

    environment: str


class RollbackBody(_Body):
    """Where to go back to."""

    release: str | None = None


def router(service: DeploymentService, runs: DeploymentRuns) -> APIRouter:
    """Routes under ``/api/v1/deployments``."""
    routes = APIRouter(prefix="/api/v1/deployments", tags=["deployments"])
    _add_views(routes, service)
    _add_logs(routes, service)
    _add_changes(routes, runs)
    return routes


def _add_views(routes: APIRouter, service: DeploymentService) -> None:
    @routes.get("", summary="Deployments, by workload then environment")
    def list_deployments(
        principal: Reader,
        entity_ref: str | None = None,
        owners: Annotated[list[str] | None, Query()] = None,
        environment: str | None = None,
        state: Annotated[list[str] | None, Query()] = None,
        cursor: Cursor = None,
        limit: Limit = None,
    ) -> DeploymentList:
        query = DeploymentQuery(
            entity_ref=entity_ref,
            owners=tuple(owners or ()),
            environment=environment,
            state=tuple(state or ()),
            cursor=cursor,
            limit=limit,
        )
        page = service.list(query, principal)
        return DeploymentList(items=list(page.items), next_cursor=page.next_cursor, total=page.total)

    @routes.get("/{deployment_id}", summary="One deployment")
    def get_deployment(deployment_id: str, principal: Reader) -> DeploymentView:
        return service.get(deployment_id, principal)

    @routes.get("/{deployment_id}/history", summary="What was done to it, newest first")
    def get_history(deployment_id: str, principal: Reader, cursor: Cursor = None, limit: Limit = None) -> HistoryList:
        page = service.history(deployment_id, principal, cursor=cursor, limit=limit)
        return HistoryList(items=[_item(entry) for entry in page.items], next_cursor=page.next_cursor)

    @routes.get("/{deployment_id}/releases", summary="Releases it can go to, newest first")
    def get_releases(deployment_id: str, principal: Reader, cursor: Cursor = None, limit: Limit = None) -> ReleaseList:
        page = service.list_releases(deployment_id, principal, cursor=cursor, limit=limit)
        return ReleaseList(items=list(page.items), next_cursor=page.next_cursor)


def _add_logs(routes: APIRouter, service: DeploymentService) -> None:
    @routes.get("/{deployment_id}/log", summary="Log lines after a cursor, or the last ones")
    def get_log(
        deployment_id: str,
        principal: LogReader,
        after: After = -1,
        limit: Annotated[int, Query(ge=1, le=5000)] = 500,
    ) -> LogLines:
        return LogLines(items=list(service.log(deployment_id, principal, after=after, limit=limit)))

    @routes.get(
        "/{deployment_id}/log/stream",
        summary="The same live (server-sent events)",
        response_class=EventSourceResponse,
    )
    async def stream(
        deployment_id: str,
        principal: LogReader,
        after: After = -1,
        last_event_id: Annotated[str | None, Header(max_length=20)] = None,
    ) -> AsyncIterator[ServerSentEvent]:
        # A browser that reconnects says with Last-Event-ID how far it came.
        start = int(last_event_id) if last_event_id and last_event_id.isascii() and last_event_id.isdigit() else after
        async for line in service.follow_log(deployment_id, principal, after=start):
            yield ServerSentEvent(raw_data=line.model_dump_json(), event="log", id=str(line.seq))


def _add_changes(routes: APIRouter, runs: DeploymentRuns) -> None:
    accepted = status.HTTP_202_ACCEPTED

    @routes.post("", status_code=accepted, summary="Deploy a commit of a repository")
    def deploy(body: DeployBody, principal: Writer) -> RunView:
        return runs.deploy(
            principal,
            repository=body.repository,
            environment=body.environment,
            entity_ref=body.entity_ref,
            commit=body.commit,
        )

    @routes.post("/{deployment_id}/redeploy", status_code=accepted, summary="Deploy what is newest in its repository")
    def redeploy(deployment_id: str, principal: Writer, body: RedeployBody | None = None) -> RunView:
        return runs.redeploy(principal, deployment_id, commit=body.commit if body else None)

    @routes.post(
        "/{deployment_id}/promote", status_code=accepted, summary="Bring its release up in a later environment"
    )
    def promote(deployment_id: str, principal: Writer, body: PromoteBody) -> RunView:
        return runs.promote(principal, deployment_id, environment=body.environment)

    @routes.post("/{deployment_id}/rollback", status_code=accepted, summary="Go back to an earlier release")
    def rollback(deployment_id: str, principal: Writer, body: RollbackBody | None = None) -> RunView:
        return runs.rollback(principal, deployment_id, release=body.release if body else None)

    @routes.post("/{deployment_id}/stop", status_code=accepted, summary="Stop it, ready to be started again")
    def stop(deployment_id: str, principal: Writer) -> RunView:
        return runs.stop(principal, deployment_id)

    @routes.post("/{deployment_id}/start", status_code=accepted, summary="Start it again")
    def start(deployment_id: str, principal: Writer) -> RunView:
        return runs.start(principal, deployment_id)

    @routes.delete("/{deployment_id}", status_code=accepted, summary="Remove it with all it has")
    def remove(deployment_id: str, principal: Writer) -> RunView:
        return runs.remove(principal, deployment_id)


def _item(entry: HistoryEntry) -> HistoryItem:
    return HistoryItem.model_validate(entry)
