"""Errors at the edge: problem+json (RFC 9457) for programs, a page or a fragment for people."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from flagstone.kernel.errors import Conflict, Denied, FlagstoneError, Invalid, NotFound, Problem, Unauthenticated
from flagstone.toolkit.telemetry import request_id

log = logging.getLogger("flagstone.web")

ErrorPage = Callable[[Request, FlagstoneError, str], Response]
"""(request, error, request id) -> the page for people."""

ErrorShape = Callable[[Request, FlagstoneError], Response]
"""(request, error) -> the answer in the words of another protocol."""


def wants_html(request: Request) -> bool:
    """Whether a person is looking: a page URL asked for by a browser."""
    path = request.url.path
    if path.startswith(("/api/", "/git/", "/healthz", "/readyz")):
        return False
    return "text/html" in request.headers.get("accept", "") or "hx-request" in request.headers


def install(app: FastAPI, page: ErrorPage | None, shapes: Mapping[str, ErrorShape] | None = None) -> None:
    """Add the handlers. Without ``page`` (platform alone) everybody gets problem+json.

    ``shapes``: path prefix -> how errors below it are told instead.
    """
    told = {f"{prefix}/": shape for prefix, shape in (shapes or {}).items()}

    def answer(request: Request, error: FlagstoneError) -> Response:
        for prefix, shape in told.items():
            if request.url.path.startswith(prefix):
                return shape(request, error)
        if page is not None and wants_html(request):
            if isinstance(error, Unauthenticated) and request.method == "GET":
                return _to_login(request)
            return page(request, error, request_id.get())
        return problem_response(error)

    async def on_flagstone(request: Request, error: Exception) -> Response:
        assert isinstance(error, FlagstoneError)
        return answer(request, error)

    async def on_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        problems = [
            Problem(str(item["msg"]), field=".".join(str(part) for part in item["loc"] if part != "body"))
            for item in error.errors()
        ]
        return answer(request, Invalid("request.invalid", "The request is not valid.", problems=problems))

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return answer(request, _from_http(request, error))

    async def on_crash(request: Request, error: Exception) -> Response:
        log.error("request failed: %s %s", request.method, request.url.path, exc_info=error)
        crash = FlagstoneError(
            "server.error",
            "Something went wrong in the server.",
            hint=f"The log has the details under request id {request_id.get() or '-'}.",
        )
        return answer(request, crash)

    app.add_exception_handler(FlagstoneError, on_flagstone)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_crash)


def problem_response(error: FlagstoneError) -> JSONResponse:
    """The wire form of an error."""
    body: dict[str, Any] = error.as_dict()
    if request_id.get():
        body["request_id"] = request_id.get()
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, error.status, headers, media_type="application/problem+json")


def _to_login(request: Request) -> Response:
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    login = "/login" if target == "/" else f"/login?next={quote(target, safe='')}"
    if "hx-request" in request.headers:
        return Response(status_code=200, headers={"HX-Redirect": login})
    return RedirectResponse(login, 303)


def _from_http(request: Request, error: HTTPException) -> FlagstoneError:
    what = f"{request.method} {request.url.path}"
    kinds: dict[int, FlagstoneError] = {
        404: NotFound("server.no_such_page", f"There is nothing at {request.url.path}."),
        405: Conflict("server.method_not_allowed", f"{what} is not possible here."),
        403: Denied("server.forbidden", str(error.detail)),
    }
    found = kinds.get(error.status_code)
    if found is None:
        found = FlagstoneError("server.http", str(error.detail))
    found.status = error.status_code
    return found
