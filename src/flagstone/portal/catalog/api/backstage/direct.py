"""The short way to the routes: a table by method and path instead of a walk along every route of the application.

The routes themselves stay ordinary ones, with their guards; this only finds them sooner. As the innermost middleware it
runs after the caller is known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from flagstone.kernel.errors import FlagstoneError
from flagstone.toolkit.web.backstage_errors import error_response

_PREFIX = "/api/catalog/"
_PARAMETER = re.compile(r"\{(\w+)\}")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class _Table:
    """Handlers by method and path."""

    def __init__(self, router: APIRouter) -> None:
        self._whole: dict[tuple[str, str], Handler] = {}
        self._parts: dict[tuple[str, int], list[tuple[re.Pattern[str], Handler]]] = {}
        for route in router.routes:
            if isinstance(route, APIRoute):
                for method in route.methods or ():
                    self._add(method, route.path, route.get_route_handler())

    def _add(self, method: str, path: str, handler: Handler) -> None:
        if "{" not in path:
            self._whole[method, path] = handler
            return
        pattern = re.compile(_PARAMETER.sub(r"(?P<\1>[^/]+)", path))
        self._parts.setdefault((method, path.count("/")), []).append((pattern, handler))

    def find(self, method: str, path: str) -> tuple[Handler | None, dict[str, str]]:
        """The handler and the parameters in the path."""
        handler = self._whole.get((method, path))
        if handler is None:
            for pattern, candidate in self._parts.get((method, path.count("/")), ()):
                found = pattern.fullmatch(path)
                if found is not None:
                    return candidate, found.groupdict()
        return handler, {}


def direct(router: APIRouter) -> Any:
    """Middleware for the routes of a router."""
    table = _Table(router)

    class DirectMiddleware:
        """Answers what the table knows, and passes everything else on."""

        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            """One request."""
            handler: Handler | None = None
            if scope["type"] == "http" and scope["path"].startswith(_PREFIX):
                handler, scope["path_params"] = table.find(scope["method"], scope["path"])
            if handler is None:
                await self.app(scope, receive, send)
                return
            request = Request(scope, receive)
            try:
                response = await handler(request)
            except FlagstoneError as error:
                response = error_response(request, error)
            await response(scope, receive, send)

    return DirectMiddleware
