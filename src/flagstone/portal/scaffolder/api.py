"""``/api/scaffolder/v2``, as Backstage's ``ScaffolderClient`` calls it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError, NotFound
from flagstone.portal.scaffolder.permissions import CREATE, DRY_RUN, READ
from flagstone.portal.scaffolder.service import NotValid, ScaffolderService
from flagstone.sdk.guards import permit
from flagstone.toolkit.web.backstage_errors import error_response

PREFIX = "/api/scaffolder"
_WAIT = 30.0
_LOOK = 0.25
Reader = Annotated[Principal, permit(READ)]
Maker = Annotated[Principal, permit(CREATE)]


class TaskBody(BaseModel):
    """What is to be done."""

    model_config = ConfigDict(extra="ignore")
    template_ref: str = Field(alias="templateRef")
    values: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, SecretStr] = Field(default_factory=dict)


class DirectoryFile(BaseModel):
    """A file beside the template."""

    model_config = ConfigDict(extra="ignore")
    path: str
    base64_content: str = Field(alias="base64Content")


class DryRunBody(BaseModel):
    """A template that is tried."""

    model_config = ConfigDict(extra="ignore")
    template: dict[str, Any]
    values: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, SecretStr] = Field(default_factory=dict)
    directory_contents: list[DirectoryFile] = Field(default_factory=list, alias="directoryContents")


def errors(request: Request, error: FlagstoneError) -> Response:
    """Errors below the prefix: faults of the values as a list, everything else as Backstage tells errors."""
    if isinstance(error, NotValid):
        return JSONResponse({"errors": error.errors}, 400)
    return error_response(request, error)


def router(service: ScaffolderService) -> APIRouter:
    """All routes."""
    api = APIRouter(prefix=f"{PREFIX}/v2", tags=["backstage scaffolder"])
    _templates(api, service)
    _tasks(api, service)
    _following(api, service)
    return api


def _templates(api: APIRouter, service: ScaffolderService) -> None:
    @api.get("/templates/{namespace}/{kind}/{name}/parameter-schema", summary="The form of a template")
    def schema(_: Reader, namespace: str, kind: str, name: str) -> dict[str, Any]:
        if kind.lower() != "template":
            raise NotFound("scaffolder.no_template", f"{kind}:{namespace}/{name} is no template.")
        return service.schema(namespace, name)

    @api.get("/actions", summary="All kinds of step")
    def actions(_: Reader) -> list[dict[str, Any]]:
        return service.actions()

    @api.get("/templating-extensions", summary="Filters and functions of templates")
    def extensions(_: Reader) -> dict[str, Any]:
        return service.extensions()

    @api.post("/autocomplete/{provider}/{resource}", summary="Choices that another service would give")
    def autocomplete(_: Reader, provider: str, resource: str) -> dict[str, Any]:
        raise NotFound("scaffolder.no_provider", f"Nothing here completes {resource} of {provider}.")

    @api.post("/dry-run", summary="Try a template without changing anything")
    def dry_run(principal: Annotated[Principal, permit(DRY_RUN)], body: DryRunBody) -> dict[str, Any]:
        files = {file.path: file.base64_content for file in body.directory_contents}
        return service.dry_run(principal, body.template, body.values, body.secrets, files)


def _tasks(api: APIRouter, service: ScaffolderService) -> None:
    @api.post("/tasks", summary="Start a task", status_code=201)
    def create(principal: Maker, body: TaskBody) -> dict[str, str]:
        return {"id": service.create(principal, body.template_ref, body.values, body.secrets)}

    @api.get("/tasks", summary="A page of tasks")
    def tasks(
        principal: Reader,
        created_by: Annotated[list[str], Query(alias="createdBy")] = [],  # noqa: B006  FastAPI copies it
        status: Annotated[list[str], Query()] = [],  # noqa: B006
        limit: Annotated[int | None, Query(ge=0, le=10_000)] = None,
        offset: Annotated[int, Query(ge=0)] = 0,
        order: str = "",
    ) -> dict[str, Any]:
        return service.tasks(principal, created_by=created_by, status=status, limit=limit, offset=offset, order=order)

    @api.get("/tasks/{task_id}", summary="One task")
    def get(principal: Reader, task_id: str) -> dict[str, Any]:
        return service.get(principal, task_id)

    @api.post("/tasks/{task_id}/cancel", summary="Ask a task to stop")
    def cancel(principal: Maker, task_id: str) -> dict[str, str]:
        service.cancel(principal, task_id)
        return {"status": "cancelled"}

    @api.post("/tasks/{task_id}/retry", summary="Go on from where a task failed", status_code=201)
    def retry(principal: Maker, task_id: str) -> dict[str, str]:
        return {"id": service.retry(principal, task_id)}


def _following(api: APIRouter, service: ScaffolderService) -> None:
    @api.get("/tasks/{task_id}/events", summary="Events of a task; waits for the next ones")
    async def events(principal: Reader, task_id: str, after: int = 0) -> list[dict[str, Any]]:
        until = time.monotonic() + _WAIT
        while True:
            found, ended = await asyncio.to_thread(service.events, principal, task_id, after)
            if found or ended or time.monotonic() > until:
                return found
            await asyncio.sleep(_LOOK)

    @api.get("/tasks/{task_id}/eventstream", summary="Events of a task as a stream")
    async def stream(principal: Reader, task_id: str, after: int = 0) -> Response:
        await asyncio.to_thread(service.get, principal, task_id)

        async def frames() -> AsyncIterator[str]:
            async for event in service.follow(principal, task_id, after):
                yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"

        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return StreamingResponse(frames(), media_type="text/event-stream", headers=headers)
