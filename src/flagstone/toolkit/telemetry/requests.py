"""Request ids and the access log, as ASGI middleware."""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING

from flagstone.kernel.ids import new_id
from flagstone.toolkit.telemetry import request_id

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("flagstone.access")
_GIVEN = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_QUIET = ("/static/", "/healthz", "/readyz")


class RequestMiddleware:
    """Gives every request an id (or keeps a well-formed ``X-Request-Id``), returns it, and logs method, path,
    status, time.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        identity = given.decode() if _GIVEN.fullmatch(given) else new_id()
        token = request_id.set(identity)
        started = time.perf_counter()
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", identity.encode())]
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        finally:
            path = scope["path"]
            level = logging.DEBUG if path.startswith(_QUIET) else logging.INFO
            if log.isEnabledFor(level):
                took = (time.perf_counter() - started) * 1000
                # Control characters in a path must not forge log lines.
                log.log(
                    level,
                    "%s %s %d %.1f ms",
                    scope["method"],
                    path.encode("unicode_escape").decode(),
                    status,
                    took,
                    extra={"method": scope["method"], "path": path, "status": status, "ms": round(took, 1)},
                )
            request_id.reset(token)
