"""The HTTP front of a deployment: a stable address whose requests go to whichever instance is the current one.

A streaming reverse proxy on an event loop in a thread of its own. Each request gets a connection of its own to the
instance, so that nothing is ever sent on a connection that the instance is about to close, and an instance that is
taken out of service can be waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from flagstone.builtin.local_process.exchange import Exchange
from flagstone.builtin.local_process.http_head import MAX_HEAD, BadHead, Head, parse_request, read_head, request_body
from flagstone.builtin.local_process.probes import ADDRESS

T = TypeVar("T")

_IDLE_SECONDS = 75.0
_HEAD_SECONDS = 30.0


class FrontLoop:
    """The thread with the event loop that all fronts share."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="local-process-fronts", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    def call(self, work: Coroutine[Any, Any, T], timeout: float = 15.0) -> T:
        """Run a coroutine there and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    def close(self) -> None:
        """End the thread. Close all fronts before."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)


class Target:
    """An instance that takes requests. ``active`` counts those in progress, ``idle`` is set while there are none."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.active = 0
        self.idle = asyncio.Event()
        self.idle.set()

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """For the time of a request."""
        self.active += 1
        self.idle.clear()
        try:
            yield
        finally:
            self.active -= 1
            if not self.active:
                self.idle.set()


class Front:
    """One address. The public methods are for other threads; the rest runs on the loop."""

    def __init__(self, loop: FrontLoop, host: str, title: str) -> None:
        self._loop = loop
        self._host = host
        self._title = title
        self._reason = "is not running"
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self.port: int | None = None
        self.target: Target | None = None

    def listen(self, port: int) -> bool:
        """Take a port; False when someone else has it."""
        try:
            self._loop.call(self._listen(port))
        except OSError:
            return False
        self.port = port
        return True

    def point_to(self, port: int) -> Target | None:
        """Send all requests from now on to an instance; returns the one that got them before."""
        return self._loop.call(self._point_to(Target(port), ""))

    def close_service(self, reason: str) -> Target | None:
        """From now on answer 503, saying why: "is stopped"; returns the instance that got the requests before."""
        return self._loop.call(self._point_to(None, reason))

    def drain(self, target: Target | None, seconds: float) -> int:
        """Wait until requests in progress at a former target have been answered; returns how many were not."""
        return self._loop.call(self._drain(target, seconds), seconds + 5) if target is not None else 0

    def close(self) -> None:
        """Give the port back and cut all connections."""
        self._loop.call(self._close())
        self.port = None

    async def _listen(self, port: int) -> None:
        self._server = await asyncio.start_server(self._connected, self._host, port, limit=MAX_HEAD, backlog=1024)

    async def _point_to(self, target: Target | None, reason: str) -> Target | None:
        before, self.target, self._reason = self.target, target, reason
        return before

    async def _drain(self, target: Target, seconds: float) -> int:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(target.idle.wait(), seconds)
        return target.active

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._clients):
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        self._server = None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            while await self._request(reader, writer):
                pass
        except (BadHead, ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._clients.discard(task)
            with contextlib.suppress(OSError, asyncio.CancelledError):
                writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; returns whether the connection can be used again."""
        try:
            async with asyncio.timeout(_IDLE_SECONDS):
                data = await read_head(reader)
            if data is None:
                return False
            head = parse_request(data)
            body = request_body(head)
        except BadHead as error:
            await _answer(writer, error.status, f"<p>{html.escape(str(error))}.</p>", keep_alive=False)
            return False
        except TimeoutError:
            return False
        peer = writer.get_extra_info("peername") or ("",)
        exchange = Exchange(head, body, str(peer[0]), reader, writer)
        for _ in range(3):
            target = self.target
            if target is None:
                break
            with target.busy():
                if await exchange.connect(ADDRESS, target.port):
                    if b"100-continue" in head.tokens(b"expect"):
                        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                    return await self._exchange(exchange)
            if self.target is target:
                await asyncio.sleep(0.1)  # it has just ended; a moment later this is known
        return await self._unavailable(head, writer, keep_alive=body.empty and head.keep_alive)

    async def _exchange(self, exchange: Exchange) -> bool:
        try:
            return await exchange.run()
        except BadHead as error:
            if exchange.answered:
                raise
            text = "<p>The service gave no answer that can be understood.</p>"
            await _answer(exchange.writer, 502, f"{text}<p>{html.escape(str(error))}</p>", keep_alive=False)
            return False

    async def _unavailable(self, head: Head, writer: asyncio.StreamWriter, *, keep_alive: bool) -> bool:
        reason = self._reason or "does not answer"
        text = f"<h1>{html.escape(self._title)} {html.escape(reason)}</h1><p>This page looks again by itself.</p>"
        await _answer(writer, 503, text, keep_alive=keep_alive, with_body=head.first[0] != b"HEAD")
        return keep_alive


_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="3">
<meta name="viewport" content="width=device-width"><title>Not available</title><style>:root{color-scheme:light dark;
font:17px/1.5 system-ui,sans-serif}body{display:grid;place-items:center;min-height:90vh;margin:1rem}h1{font-size:1.4rem}
</style></head><body><main>%s</main></body></html>"""
_REASONS = {400: "Bad Request", 431: "Request Header Fields Too Large", 502: "Bad Gateway", 503: "Service Unavailable"}


async def _answer(
    writer: asyncio.StreamWriter, status: int, text: str, *, keep_alive: bool, with_body: bool = True
) -> None:
    body = (_PAGE % text).encode()
    head = [
        f"HTTP/1.1 {status} {_REASONS[status]}",
        "Content-Type: text/html; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "Retry-After: 2",
        f"Connection: {'keep-alive' if keep_alive else 'close'}",
    ]
    writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + (body if with_body else b""))
    await writer.drain()
