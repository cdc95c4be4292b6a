"""Git's smart HTTP protocol as an ASGI app around ``git http-backend``, streamed in both directions.

Hooks never run: what a push changed is seen by comparing the refs before and after it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qs

from flagstone.kernel.errors import FlagstoneError, Invalid, NotFound, Unauthenticated, Unavailable
from flagstone.toolkit.git.backend import Backend, BackendRequest, ClientGone
from flagstone.toolkit.git.environment import GitEnvironment
from flagstone.toolkit.git.repository import GitRepository

Service = Literal["git-upload-pack", "git-receive-pack"]
"""Reading (clone, fetch) and writing (push)."""

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

Authorize = Callable[[Scope, str, Service], GitRepository]
"""(scope, repository name, service) -> the repository. Raises Unauthenticated, Denied, NotFound. Called in a thread."""
Pushed = Callable[[Scope, str, Mapping[str, str], Mapping[str, str]], None]
"""(scope, repository name, refs before, refs after), after refs changed. Called in a thread."""

_PATH = re.compile(r"/(?P<name>[^/]+/[^/]+?)(?:\.git)?/(?P<rest>info/refs|git-upload-pack|git-receive-pack)")
_PROTOCOL = re.compile(r"[a-z0-9=:]{1,80}")
_QUEUE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class _Call:
    """A request, understood."""

    name: str
    service: Service
    advertise: bool


class GitHttp:
    """Mount it at a prefix: ``<prefix>/<project>/<name>.git``.

    ``max_body`` bounds a push in bytes, ``concurrency`` the git processes at once, ``timeout`` one request in seconds.
    """

    def __init__(
        self,
        environment: GitEnvironment,
        authorize: Authorize,
        pushed: Pushed,
        *,
        max_body: int = 500_000_000,
        concurrency: int = 8,
        timeout: float = 900.0,
    ) -> None:
        self._authorize = authorize
        self._pushed = pushed
        self._backend = Backend(environment, max_body=max_body, timeout=timeout)
        self._max_body = max_body
        self._slots = asyncio.Semaphore(concurrency)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            call = _understand(scope)
            repository = await asyncio.to_thread(self._authorize, scope, call.name, call.service)
            request = self._request(scope, call, repository)
            try:
                await asyncio.wait_for(self._slots.acquire(), _QUEUE_SECONDS)
            except TimeoutError:
                raise Unavailable("git.busy", "The git hosting is busy.", hint="Try again.", retry_after=5) from None
        except FlagstoneError as error:
            await _refuse(send, error)
            return
        try:
            await self._serve(scope, call, repository, request, receive, send)
        finally:
            self._slots.release()

    async def _serve(
        self,
        scope: Scope,
        call: _Call,
        repository: GitRepository,
        request: BackendRequest,
        receive: Receive,
        send: Send,
    ) -> None:
        writes = call.service == "git-receive-pack" and not call.advertise
        before = await asyncio.to_thread(repository.refs) if writes else {}
        started = False

        async def forward(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._backend.serve(request, receive, forward)
        except ClientGone:
            started = True
        except FlagstoneError as error:
            if not started:
                await _refuse(send, error)
            return
        finally:
            # Even when the client has gone: refs that moved have moved.
            if writes:
                await asyncio.shield(asyncio.to_thread(self._report, scope, call.name, repository, before))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _report(self, scope: Scope, name: str, repository: GitRepository, before: Mapping[str, str]) -> None:
        after = repository.refs()
        if after != before:
            self._pushed(scope, name, before, after)

    def _request(self, scope: Scope, call: _Call, repository: GitRepository) -> BackendRequest:
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        length = headers.get("content-length", "")
        if length and (not length.isdigit() or int(length) > self._max_body):
            raise Invalid("git.push_too_large", f"The push is larger than {self._max_body} bytes.")
        variables = {
            "REQUEST_METHOD": scope["method"],
            "GIT_PROJECT_ROOT": str(repository.path.parent),
            "PATH_INFO": f"/{repository.path.name}/{'info/refs' if call.advertise else call.service}",
            "QUERY_STRING": f"service={call.service}" if call.advertise else "",
            "CONTENT_TYPE": headers.get("content-type", "") if not call.advertise else "",
            "REMOTE_USER": "flagstone",
            "REMOTE_ADDR": str((scope.get("client") or ("",))[0]),
            "GIT_HTTP_EXPORT_ALL": "1",
        }
        if length and not call.advertise:
            variables["CONTENT_LENGTH"] = length
        if headers.get("content-encoding") in ("gzip", "x-gzip"):
            variables["HTTP_CONTENT_ENCODING"] = "gzip"
        protocol = headers.get("git-protocol", "")
        if _PROTOCOL.fullmatch(protocol):
            variables["GIT_PROTOCOL"] = protocol
        return BackendRequest(repository.path, variables)


def _understand(scope: Scope) -> _Call:
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    found = _PATH.fullmatch(path)
    if found is None:
        raise NotFound(
            "git.no_such_path", "There is nothing at this address.", hint="Clone …/git/<project>/<name>.git."
        )
    advertise = found["rest"] == "info/refs"
    if scope["method"] != ("GET" if advertise else "POST"):
        raise NotFound("git.no_such_path", "There is nothing at this address for this method.")
    asked = found["rest"]
    if advertise:
        asked = (parse_qs(scope.get("query_string", b"").decode("latin-1")).get("service") or [""])[0]
    if asked == "git-receive-pack":
        return _Call(found["name"], "git-receive-pack", advertise)
    if asked == "git-upload-pack":
        return _Call(found["name"], "git-upload-pack", advertise)
    raise NotFound("git.dumb_protocol", "Only git's smart HTTP protocol is served.", hint="Use git 1.6.6 or newer.")


async def _refuse(send: Send, error: FlagstoneError) -> None:
    """Answer an error in plain text: git shows it to the person as ``remote: …``."""
    text = error.message if not error.hint else f"{error.message}\n{error.hint}"
    status = 413 if error.code == "git.push_too_large" else error.status
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", b'Basic realm="Flagstone git", charset="UTF-8"'))
    if error.retry_after is not None:
        headers.append((b"retry-after", str(int(error.retry_after)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})
