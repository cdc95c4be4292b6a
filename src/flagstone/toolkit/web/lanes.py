"""Few pages at a time: who comes next waits, instead of taking turns with all others.

Threads that compute at once share one interpreter: each waits for it after every row that a database returns, so that
sixteen pages together take several times as long as one after the other.
"""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LANES = 2
PATIENCE = 1.0
"""Seconds. A page that waits for something outside must not hold up the others for longer."""


class Lanes:
    """ASGI middleware: at most ``lanes`` pages are made at once, each until its answer begins.

    :param patience: seconds after which one goes on although all lanes are taken.
    """

    def __init__(self, app: ASGIApp, *, lanes: int = LANES, patience: float = PATIENCE) -> None:
        self._app = app
        self._free = asyncio.Semaphore(lanes)
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; only what asks for HTML has to wait."""
        if scope["type"] != "http" or not _is_page(scope):
            await self._app(scope, receive, send)
            return
        held = await self._enter()

        async def send_and_leave(message: Message) -> None:
            nonlocal held
            if held:
                held = False
                self._free.release()
            await send(message)

        try:
            await self._app(scope, receive, send_and_leave)
        finally:
            if held:
                self._free.release()

    async def _enter(self) -> bool:
        if not self._free.locked():
            return await self._free.acquire()
        try:
            return await asyncio.wait_for(self._free.acquire(), self._patience)
        except TimeoutError:
            return False


def _is_page(scope: Scope) -> bool:
    if scope["method"] != "GET":
        return False
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])
