"""The short way to the routes: a table by method and path instead of a walk along every route of the application.

The routes themselves stay ordinary ones, with their guards; this only finds them sooner. As the innermost middleware it
runs after the caller is known.
"""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from flagstone.kernel.errors import FlagstoneError
from flagstone.portal.catalog.api.backstage.errors import error_response

_PREFIX = "/api/catalog/"
_PARAMETER = re.compile(r"\{(\w+)\}")


def direct(router: APIRouter) -> Any:
    """Middleware for the routes of a router."""
    whole: dict[tuple[str, str], Any] = {}
    parts: dict[tuple[str, int], list[tuple[re.Pattern[str], Any]]] = {}
    for route in router.routes:
        if isinstance(route, APIRoute):
            handler = route.get_route_handler()
            for method in route.methods:
                if "{" not in route.path:
                    whole[method, route.path] = handler
                else:
                    pattern = re.compile(_PARAMETER.sub(r"(?P<\1>[^/]+)", route.path))
                    parts.setdefault((method, route.path.count("/")), []).append((pattern, handler))

    class DirectMiddleware:
        """Answers what the table knows, and passes everything else on."""

        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or not scope["path"].startswith(_PREFIX):
                await self.app(scope, receive, send)
                return
            method, path = scope["method"], scope["path"]
            handler = whole.get((method, path))
            if handler is None:
                for pattern, candidate in parts.get((method, path.count("/")), ()):
                    found = pattern.fullmatch(path)
                    if found is not None:
                        scope["path_params"], handler = found.groupdict(), candidate
                        break
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
