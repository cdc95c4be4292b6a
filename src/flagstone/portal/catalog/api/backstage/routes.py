"""The routes. Short reads are answered on the event loop; whatever may take longer, or writes, goes to a thread."""

# ruff: noqa: ARG001  every endpoint takes the request and the caller

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from flagstone.kernel.actor import Principal
from flagstone.portal.catalog.api.backstage.answers import Answers
from flagstone.portal.catalog.api.backstage.description import DESCRIPTIONS
from flagstone.portal.catalog.api.backstage.memory import Memory
from flagstone.portal.catalog.api.backstage.parameters import Body, Parameters, bad
from flagstone.portal.catalog.service.backstage import (
    BackstageLocations,
    BackstageReads,
    BackstageUnprocessed,
    BackstageValidation,
)
from flagstone.sdk.guards import Guard, permit

_MAX_BODY = 1_000_000

Endpoint = Callable[[Request, Principal], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class BackstageServices:
    """What the routes need."""

    reads: BackstageReads
    locations: BackstageLocations
    validation: BackstageValidation
    unprocessed: BackstageUnprocessed


class _DirectRoute(APIRoute):
    """A route whose endpoint takes the request as it is: guarded like every other, without FastAPI's reading of
    parameters, which costs more than the query does.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint behind its guard."""
        [guard] = [item.call for item in self.dependant.dependencies if isinstance(item.call, Guard)]
        endpoint = self.endpoint

        async def handle(request: Request) -> Response:
            response: Response = await endpoint(request, await guard(request))
            return response

        return handle


def router(services: BackstageServices) -> APIRouter:
    """All routes under ``/api/catalog``."""
    api = APIRouter(prefix="/api/catalog", tags=["backstage"], route_class=_DirectRoute, include_in_schema=False)
    answers, memory = Answers(services.reads, services.locations), Memory(services.reads)
    _reads(api, services, answers, memory)
    _one_entity(api, services, answers, memory)
    _locations(api, services)
    _unprocessed(api, services)
    _tools(api, services)
    return api


def _add(api: APIRouter, method: str, path: str, permission: str, endpoint: Endpoint) -> None:
    api.add_api_route(
        path,
        endpoint,
        methods=[method],
        dependencies=[permit(permission)],
        response_class=Response,
        response_model=None,
    )


def _reads(api: APIRouter, services: BackstageServices, answers: Answers, memory: Memory) -> None:
    read, soon = "catalog.entity.read", services.reads.soon

    async def entities(request: Request, principal: Principal) -> Response:
        asked = answers.list_of(request.scope["query_string"])
        if asked.paged:
            return await memory.answer(request, lambda: answers.listed(asked), pool=True)
        first = await run_in_threadpool(answers.batches, asked)
        return StreamingResponse(_array(first), media_type="application/json")

    async def query(request: Request, principal: Principal) -> Response:
        asked = answers.query_of(request.scope["query_string"])
        return await memory.answer(request, lambda: answers.queried(*asked), own=not soon(asked[0]))

    async def post_query(request: Request, principal: Principal) -> Response:
        body = await _body(request)
        Parameters(request.scope["query_string"], ())
        asked = answers.query_in(Body(body))
        return await memory.answer(request, lambda: answers.queried(*asked), body, own=not soon(asked[0]))

    async def by_refs(request: Request, principal: Principal) -> Response:
        body = await _body(request)
        return await memory.answer(request, lambda: answers.by_refs(request.scope["query_string"], Body(body)), body)

    async def facets(request: Request, principal: Principal) -> Response:
        return await memory.answer(request, lambda: answers.facets(request.scope["query_string"]), pool=True)

    async def post_facets(request: Request, principal: Principal) -> Response:
        body = await _body(request)
        Parameters(request.scope["query_string"], ())
        return await memory.answer(request, lambda: answers.facets_in(Body(body)), body, pool=True)

    _add(api, "GET", "/entities", read, entities)
    _add(api, "GET", "/entities/by-query", read, query)
    _add(api, "POST", "/entities/by-query", read, post_query)
    _add(api, "POST", "/entities/by-refs", read, by_refs)
    _add(api, "GET", "/entity-facets", read, facets)
    _add(api, "POST", "/entity-facets", read, post_facets)


def _one_entity(api: APIRouter, services: BackstageServices, answers: Answers, memory: Memory) -> None:
    read, name = "catalog.entity.read", "/entities/by-name/{kind}/{namespace}/{name}"

    async def by_name(request: Request, principal: Principal) -> Response:
        parts = request.path_params
        return await memory.answer(
            request, lambda: (services.reads.by_name(parts["kind"], parts["namespace"], parts["name"]), {})
        )

    async def ancestry(request: Request, principal: Principal) -> Response:
        parts = request.path_params
        ref = f"{parts['kind']}:{parts['namespace']}/{parts['name']}"
        return _json_text(await run_in_threadpool(answers.ancestry, ref))

    async def by_uid(request: Request, principal: Principal) -> Response:
        return await memory.answer(request, lambda: (services.reads.by_uid(request.path_params["uid"]), {}))

    async def delete(request: Request, principal: Principal) -> Response:
        await run_in_threadpool(services.locations.delete, principal, request.path_params["uid"])
        return Response(status_code=204)

    _add(api, "GET", name, read, by_name)
    _add(api, "GET", f"{name}/ancestry", read, ancestry)
    _add(api, "GET", "/entities/by-uid/{uid}", read, by_uid)
    _add(api, "DELETE", "/entities/by-uid/{uid}", "catalog.entity.delete", delete)


def _locations(api: APIRouter, services: BackstageServices) -> None:
    read, create = "catalog.location.read", "catalog.location.create"
    locations = services.locations

    async def every(request: Request, principal: Principal) -> Response:
        found = await run_in_threadpool(locations.all)
        return JSONResponse([{"data": item.as_dict()} for item in found])

    async def register(request: Request, principal: Principal) -> Response:
        asked = Parameters(request.scope["query_string"], ("dryRun", "onConflict"))
        dry = asked.one("dryRun", ("true", "false")) == "true"
        conflict = asked.one("onConflict", ("refresh", "reject"))
        body = Body(await _body(request))
        type_, target = body.required("type"), body.required("target")
        if dry:
            tried = await run_in_threadpool(locations.attempt, principal, type_, target)
            told = {"location": tried.location.as_dict(), "entities": tried.entities, "exists": tried.exists}
            return JSONResponse(told, 201)
        found = await run_in_threadpool(
            locations.register, principal, type_, target, refresh_known=conflict == "refresh"
        )
        return JSONResponse({"location": found.as_dict(), "entities": []}, 201)

    async def query(request: Request, principal: Principal) -> Response:
        body = Body(await _body(request))
        cursor, limit = body.text("cursor"), body.integer("limit", 1) or 1000
        page = await run_in_threadpool(locations.query, body.values.get("query"), cursor, limit)
        info = {} if page[2] is None else {"nextCursor": page[2]}
        return JSONResponse({"items": [item.as_dict() for item in page[0]], "totalItems": page[1], "pageInfo": info})

    async def one(request: Request, principal: Principal) -> Response:
        found = await run_in_threadpool(locations.get, request.path_params["location_id"])
        return JSONResponse(found.as_dict())

    async def move(request: Request, principal: Principal) -> Response:
        body = Body(await _body(request))
        type_, target = body.text("type") or "url", body.required("target")
        id_ = request.path_params["location_id"]
        return JSONResponse((await run_in_threadpool(locations.move, principal, id_, type_, target)).as_dict())

    async def unregister(request: Request, principal: Principal) -> Response:
        await run_in_threadpool(locations.unregister, principal, request.path_params["location_id"])
        return Response(status_code=204)

    async def by_entity(request: Request, principal: Principal) -> Response:
        parts = request.path_params
        ref = f"{parts['kind']}:{parts['namespace']}/{parts['name']}"
        return JSONResponse((await run_in_threadpool(locations.of_entity, ref)).as_dict())

    _add(api, "GET", "/locations", read, every)
    _add(api, "POST", "/locations", create, register)
    _add(api, "POST", "/locations/by-query", read, query)
    _add(api, "GET", "/locations/by-entity/{kind}/{namespace}/{name}", read, by_entity)
    _add(api, "GET", "/locations/{location_id}", read, one)
    _add(api, "PUT", "/locations/{location_id}", create, move)
    _add(api, "DELETE", "/locations/{location_id}", "catalog.location.delete", unregister)


def _unprocessed(api: APIRouter, services: BackstageServices) -> None:
    async def failed(request: Request, principal: Principal) -> Response:
        return JSONResponse({"type": "failed", "entities": await run_in_threadpool(services.unprocessed.failed)})

    async def pending(request: Request, principal: Principal) -> Response:
        return JSONResponse({"type": "pending", "entities": await run_in_threadpool(services.unprocessed.pending)})

    async def forget(request: Request, principal: Principal) -> Response:
        await run_in_threadpool(services.unprocessed.forget, principal, request.path_params["entity_id"])
        return Response(status_code=204)

    _add(api, "GET", "/entities/unprocessed/failed", "catalog.location.read", failed)
    _add(api, "GET", "/entities/unprocessed/pending", "catalog.location.read", pending)
    _add(api, "DELETE", "/entities/unprocessed/delete/{entity_id}", "catalog.entity.delete", forget)


def _tools(api: APIRouter, services: BackstageServices) -> None:
    async def refresh(request: Request, principal: Principal) -> Response:
        ref = Body(await _body(request)).required("entityRef")
        await run_in_threadpool(services.locations.refresh, principal, ref)
        return Response()

    async def analyze(request: Request, principal: Principal) -> Response:
        place = Body(await _body(request)).object("location")
        if not all(isinstance(place.get(name), str) and place[name] for name in ("type", "target")):
            raise bad("request/body/location must have a type and a target")
        return JSONResponse(await run_in_threadpool(services.locations.analyze, principal, place["target"]))

    async def validate(request: Request, principal: Principal) -> Response:
        body = Body(await _body(request))
        entity, location = body.object("entity"), body.required("location")
        faults = await run_in_threadpool(services.validation.faults, principal, entity, location)
        if not faults:
            return Response()
        return JSONResponse({"errors": [{"name": "InputError", "message": fault} for fault in faults]}, 400)

    async def openapi(request: Request, principal: Principal) -> Response:
        return JSONResponse(described(api))

    read = "catalog.entity.read"
    _add(api, "POST", "/refresh", "catalog.entity.refresh", refresh)
    _add(api, "POST", "/analyze-location", "catalog.location.create", analyze)
    _add(api, "POST", "/validate-entity", read, validate)
    _add(api, "GET", "/openapi.json", read, openapi)


def described(api: APIRouter) -> dict[str, Any]:
    """The OpenAPI document of these routes."""
    paths: dict[str, dict[str, Any]] = {}
    for route in api.routes:
        if isinstance(route, APIRoute):
            path = route.path.removeprefix("/api/catalog")
            for method in sorted(route.methods or ()):
                paths.setdefault(path, {})[method.lower()] = DESCRIPTIONS[f"{method} {path}"]
    info = {"title": "catalog", "version": "1", "description": "The catalog API as Backstage's clients expect it."}
    return {"openapi": "3.1.0", "info": info, "servers": [{"url": "/api/catalog"}], "paths": paths}


async def _body(request: Request) -> bytes:
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > _MAX_BODY:
            raise bad("request entity too large")
    return content


def _json_text(text: str) -> Response:
    return Response(text, media_type="application/json")


def _array(batches: Iterator[list[str]]) -> Iterator[str]:
    """A JSON array in pieces."""
    yield "["
    first = True
    for batch in batches:
        if batch:
            yield ("" if first else ",") + ",".join(batch)
            first = False
    yield "]"
