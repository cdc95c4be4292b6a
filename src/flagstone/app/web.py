"""The ASGI app: middleware, routes of all slices, static files, health."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.middleware import Middleware

from flagstone import __version__
from flagstone.app import palette
from flagstone.app.chrome import ChromeMaker
from flagstone.app.routing import branches
from flagstone.foundation.access import AccessService, public
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError
from flagstone.sdk import Slice
from flagstone.toolkit.telemetry.requests import RequestMiddleware
from flagstone.toolkit.web.assets import StaticAssets
from flagstone.toolkit.web.headers import HeadersMiddleware
from flagstone.toolkit.web.lanes import Lanes
from flagstone.toolkit.web.pages import ErrorPage, Pages
from flagstone.toolkit.web.problems import install

if TYPE_CHECKING:
    from flagstone.app.build import Application

Anyone = Annotated[Principal, public("health checks and API descriptions are read by machines without an account")]

_TITLES = {
    "not found": "Not found",
    "denied": "You may not do this",
    "invalid": "This is not right yet",
    "conflict": "This changed in the meantime",
    "unavailable": "Not available now",
    "not signed in": "Please sign in",
}


def make_asgi(app: Application) -> FastAPI:
    """Assemble the ASGI app of a built application."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        app.start()
        try:
            yield
        finally:
            await asyncio.to_thread(app.stop)

    slices = app.slices
    asgi = FastAPI(
        title="Flagstone",
        version=__version__,
        description="The API of the portal and the platform. Errors are problem+json (RFC 9457).",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        middleware=_middleware(slices),
    )
    asgi.state.access = app.deps.get(AccessService)
    pages = app.deps.get(Pages)
    asgi.state.make_chrome = ChromeMaker(app, slices)
    shapes = {prefix: shape for item in slices for prefix, shape in item.errors.items()}
    install(asgi, None if app.rooms == "platform" else _error_page(pages), shapes)
    asgi.include_router(_health(app))
    if app.rooms != "platform":
        asgi.include_router(palette.router(slices, app.deps.get(AccessService), pages))
    for router in branches(router for item in slices for router in item.routers):
        asgi.include_router(router)
    for item in slices:
        for path, mounted in item.mounts:
            asgi.mount(path, mounted)
    asgi.mount("/static", StaticAssets())
    return asgi


def _middleware(slices: list[Slice]) -> list[Middleware]:
    own = [Middleware(RequestMiddleware), Middleware(HeadersMiddleware)]
    return [*own, *(Middleware(kind) for item in slices for kind in item.middleware), Middleware(Lanes)]


def _error_page(pages: Pages) -> Any:
    def page(request: Request, error: FlagstoneError, request_id: str) -> Response:
        detail = "\n".join([error.message, *(str(problem) for problem in error.problems)])
        shown = ErrorPage(
            title=_TITLES.get(error.family, "Something went wrong"),
            detail=detail,
            status=error.status,
            hint=error.hint,
            code=error.code,
            request_id=request_id or None,
        )
        return pages.error(request, shown)

    return page


def _health(app: Application) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/healthz", summary="Whether the process lives")
    async def healthz(_: Anyone) -> dict[str, str]:
        return {"status": "ok", "version": __version__}

    @router.get("/readyz", summary="Whether the process can serve", responses={503: {}})
    async def readyz(_: Anyone) -> JSONResponse:
        waiting = app.waiting_for()
        if not waiting:
            for database in app.databases:
                try:
                    database.ping()
                except FlagstoneError as error:
                    waiting.append(error.message)
        body = {"status": "waiting" if waiting else "ready", "rooms": app.rooms, "waiting_for": waiting}
        return JSONResponse(body, 503 if waiting else 200)

    @router.get("/api/v1/openapi.json", summary="This API as an OpenAPI document", include_in_schema=False)
    async def openapi(request: Request, _: Anyone) -> JSONResponse:
        return JSONResponse(request.app.openapi())

    return router
