"""One run of ``git http-backend``: request body in, CGI answer out, ended with its client."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flagstone.kernel.errors import Invalid, Permanent, Temporary
from flagstone.toolkit.git.environment import GitEnvironment
from flagstone.toolkit.process.run import find_program, kill_group

_CHUNK = 1 << 16
_MAX_HEAD = 1 << 14

Message = MutableMapping[str, Any]


class ClientGone(Exception):
    """The client closed the connection before the answer was complete."""


@dataclass(frozen=True, slots=True)
class BackendRequest:
    """The repository's folder and the CGI variables."""

    repository: Path
    variables: dict[str, str]


class Backend:
    """Starts the CGI program for each request. ``max_body`` in bytes, ``timeout`` in seconds."""

    def __init__(self, environment: GitEnvironment, *, max_body: int, timeout: float) -> None:
        self._environment = environment
        self._max_body = max_body
        self._timeout = timeout

    async def serve(
        self,
        request: BackendRequest,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Pipe both ways; everything but the last, empty body message is sent.

        Raises ClientGone, Invalid (``git.push_too_large``), Temporary (``git.timed_out``), Permanent.
        """
        variables = self._environment.variables(request.repository)
        del variables["GIT_DIR"]
        process = await asyncio.create_subprocess_exec(
            find_program("git", variables["PATH"]),
            "http-backend",
            cwd=request.repository.parent,
            env={**variables, **request.variables},
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            start_new_session=True,
        )
        feeding = asyncio.create_task(self._feed(process, receive))
        answering = asyncio.create_task(_answer(process, send))
        try:
            async with asyncio.timeout(self._timeout):
                # The feeder only ends before the answer does when the client goes away or sends too much.
                await asyncio.wait({feeding, answering}, return_when=asyncio.FIRST_COMPLETED)
                if not answering.done():
                    await feeding
                await answering
                await process.wait()
        except TimeoutError:
            raise Temporary("git.timed_out", f"The request took longer than {self._timeout:g} seconds.") from None
        finally:
            for task in (feeding, answering):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task
            if process.returncode is None:
                kill_group(process.pid)
                await process.wait()

    async def _feed(self, process: Process, receive: Callable[[], Awaitable[Message]]) -> None:
        """Send the body to the program, then watch for the client to go."""
        assert process.stdin is not None
        size, more = 0, True
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            size += len(message.get("body", b""))
            if size > self._max_body:
                raise Invalid("git.push_too_large", f"The push is larger than {self._max_body} bytes.")
            if more:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    process.stdin.write(message.get("body", b""))
                    await process.stdin.drain()
                more = message.get("more_body", False)
                if not more:
                    process.stdin.close()


async def _answer(process: Process, send: Callable[[Message], Awaitable[None]]) -> None:
    assert process.stdout is not None
    head, status = b"", 200
    headers: list[tuple[bytes, bytes]] = []
    while b"\r\n\r\n" not in head:
        chunk = await process.stdout.read(_CHUNK)
        if not chunk or len(head) > _MAX_HEAD:
            raise Permanent("git.backend_failed", "git http-backend gave no answer.")
        head += chunk
    head, _, rest = head.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.lower() == b"status":
            status = int(value.split()[0])
        else:
            headers.append((key.lower().strip(), value.strip()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    chunk = rest
    while True:
        if chunk:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        chunk = await process.stdout.read(_CHUNK)
        if not chunk:
            return
