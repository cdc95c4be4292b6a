"""Runs and actions as JSON, events live over server-sent events, the log as text. Starting one is in ``workflows``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict

from flagstone.contracts.actions import ActionSpec
from flagstone.contracts.gateway import RunQuery
from flagstone.contracts.runs import RunEvent, RunSummary, RunView, StepOutcome
from flagstone.kernel.actor import Principal
from flagstone.platform.runs.permissions import ACTIONS, ANSWER, CANCEL, READ, RESOLVE, RETRY
from flagstone.platform.runs.service import ActionRegistry, ResolveService, RunsAssembly, RunService, WaitService
from flagstone.sdk.guards import permit

Reader = Annotated[Principal, permit(READ)]
Anyone = Annotated[Principal, permit(ACTIONS)]
After = Annotated[int, Query(ge=0, description="Sequence number of the last event that is known already.")]


class RunList(BaseModel):
    """A page of runs."""

    items: list[RunSummary]
    next_cursor: str | None = None
    total: int | None = None


class EventList(BaseModel):
    """Events, oldest first."""

    items: list[RunEvent]


class ActionList(BaseModel):
    """All kinds of step."""

    items: list[ActionSpec]


class RetryBody(BaseModel):
    """Where to go on."""

    model_config = ConfigDict(extra="forbid")

    from_step: str | None = None


class AnswerBody(BaseModel):
    """What a waiting step is told."""

    model_config = ConfigDict(extra="forbid")

    values: dict[str, Any] = {}


class ResolveBody(BaseModel):
    """What a person says of a step whose outcome is unknown."""

    model_config = ConfigDict(extra="forbid")

    outcome: StepOutcome
    outputs: dict[str, Any] = {}


class WorkerView(BaseModel):
    """A process that executes runs."""

    name: str
    state: str
    host: str
    process: int
    concurrency: int
    started_at: datetime
    seen_at: datetime


class WorkerList(BaseModel):
    """All of them."""

    items: list[WorkerView]


def router(parts: RunsAssembly) -> APIRouter:
    """Routes under ``/api/v1/runs`` and ``/api/v1/actions``."""
    api = APIRouter()
    _add_lists(api, parts.service, parts.registry)
    _add_run(api, parts.service)
    _add_changes(api, parts.service)
    _add_answers(api, parts.service, parts.waiting, parts.resolving)

    @api.get("/api/v1/workers", tags=["runs"], summary="The processes that execute runs")
    def list_workers(_: Reader) -> WorkerList:
        return WorkerList(items=[WorkerView.model_validate(item, from_attributes=True) for item in parts.workers.all()])

    return api


def _add_lists(api: APIRouter, service: RunService, registry: ActionRegistry) -> None:
    @api.get("/api/v1/runs", tags=["runs"], summary="Runs, newest first")
    def list_runs(
        principal: Reader,
        state: Annotated[list[str] | None, Query()] = None,
        actor: str | None = None,
        subject: str | None = None,
        owner: str | None = None,
        trigger: str | None = None,
        triggered_by: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        template_ref: str | None = None,
        action: str | None = None,
        text: Annotated[str | None, Query(max_length=200)] = None,
        actor_refs: Annotated[list[str] | None, Query(max_length=100)] = None,
        order: Literal["number", "state", "actor_ref"] = "number",
        ascending: bool = False,
        cursor: Annotated[str | None, Query(max_length=1000)] = None,
        offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
        count: bool = False,
        limit: Annotated[int | None, Query(ge=1)] = None,
    ) -> RunList:
        query = RunQuery(
            state=tuple(state or ()),
            actor=actor,
            subject=subject,
            owner=owner,
            trigger=trigger,
            triggered_by=triggered_by,
            since=since,
            until=until,
            template_ref=template_ref,
            action=action,
            text=text,
            actor_refs=tuple(actor_refs or ()),
            order=order,
            ascending=ascending,
            cursor=cursor,
            offset=offset,
            count=count,
            limit=limit,
        )
        page = service.list_runs(query, principal)
        return RunList(items=list(page.items), next_cursor=page.next_cursor, total=page.total)

    @api.get("/api/v1/actions", tags=["actions"], summary="All kinds of step that templates may use")
    def list_actions(_: Anyone) -> ActionList:
        return ActionList(items=registry.specs())

    @api.get("/api/v1/actions/{action_id}", tags=["actions"], summary="One kind of step, with its inputs and outputs")
    def get_action(action_id: str, _: Anyone) -> ActionSpec:
        return registry.spec(action_id)


def _add_run(api: APIRouter, service: RunService) -> None:
    @api.get("/api/v1/runs/{run_id}", tags=["runs"], summary="One run, by id or number")
    def get_run(run_id: str, principal: Reader) -> RunView:
        return service.get(run_id, principal)

    @api.get("/api/v1/runs/{run_id}/events", tags=["runs"], summary="State changes and log lines after a cursor")
    def get_events(
        run_id: str, principal: Reader, after: After = 0, limit: Annotated[int, Query(ge=1, le=5000)] = 1000
    ) -> EventList:
        return EventList(items=service.events(run_id, principal, after=after, limit=limit))

    @api.get(
        "/api/v1/runs/{run_id}/stream",
        tags=["runs"],
        summary="The same live (server-sent events), until the run has ended",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}}},
    )
    async def stream(
        run_id: str,
        principal: Reader,
        after: After = 0,
        last_event_id: Annotated[str | None, Header(max_length=20)] = None,
    ) -> StreamingResponse:
        # A browser that reconnects says with Last-Event-ID how far it came.
        start = int(last_event_id) if last_event_id and last_event_id.isascii() and last_event_id.isdigit() else after
        events = service.stream(run_id, principal, after=start)
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    @api.get("/api/v1/runs/{run_id}/log", tags=["runs"], summary="Log lines that hold a text, after a cursor")
    def search_log(
        run_id: str,
        principal: Reader,
        text: Annotated[str, Query(max_length=500)] = "",
        step: str | None = None,
        after: After = 0,
        limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
    ) -> EventList:
        found = service.search_log(run_id, principal, text=text, step=step, after=after, limit=limit)
        return EventList(items=found)

    @api.get("/api/v1/runs/{run_id}/log.txt", tags=["runs"], summary="The whole log as text")
    def get_log(run_id: str, principal: Reader, step: str | None = None, download: bool = False) -> StreamingResponse:
        run = service.get(run_id, principal)
        shown = "attachment" if download else "inline"
        headers = {
            "Content-Disposition": f'{shown}; filename="run-{run.number}.txt"',
            "X-Content-Type-Options": "nosniff",
        }
        lines = service.log_lines(run.id, principal, step=step)
        return StreamingResponse(lines, media_type="text/plain; charset=utf-8", headers=headers)


def _add_changes(api: APIRouter, service: RunService) -> None:
    @api.post("/api/v1/runs/{run_id}/cancel", tags=["runs"], summary="Ask a run to stop")
    def cancel(run_id: str, principal: Annotated[Principal, permit(CANCEL)], undo: bool = False) -> RunView:
        """``undo``: also take back what is done, as far as the actions can."""
        return service.cancel(run_id, principal, undo=undo)

    @api.post("/api/v1/runs/{run_id}/retry", tags=["runs"], summary="Go on from the step that failed")
    def retry(run_id: str, principal: Annotated[Principal, permit(RETRY)], body: RetryBody | None = None) -> RunView:
        return service.retry(run_id, principal, from_step=body.from_step if body else None)


def _add_answers(api: APIRouter, service: RunService, waiting: WaitService, resolving: ResolveService) -> None:
    @api.post(
        "/api/v1/runs/{run_id}/steps/{step_id}/answer", tags=["runs"], summary="Answer a step that asks for input"
    )
    def answer(run_id: str, step_id: str, body: AnswerBody, principal: Annotated[Principal, permit(ANSWER)]) -> RunView:
        waiting.answer(run_id, step_id, body.values, principal)
        return service.get(run_id, principal)

    @api.post(
        "/api/v1/runs/{run_id}/steps/{step_id}/resolve",
        tags=["runs"],
        summary="Say whether a step was done whose outcome is unknown",
    )
    def resolve(
        run_id: str, step_id: str, body: ResolveBody, principal: Annotated[Principal, permit(RESOLVE)]
    ) -> RunView:
        resolving.resolve(run_id, step_id, body.outcome, principal, outputs=body.outputs)
        return service.get(run_id, principal)
