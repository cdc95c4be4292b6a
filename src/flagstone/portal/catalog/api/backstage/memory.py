"""Answers that are remembered for a revision of the catalog, and asking for that revision.

Does not belong here: what is answered.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from flagstone.portal.catalog.service.backstage import BackstageReads
from flagstone.portal.catalog.service.backstage.cache import RevisionCache

_JSON = b"application/json; charset=utf-8"
_CACHE_BYTES = 6_000_000
_THREADS = 3
"""While one makes an answer, the database works for the others. Each has a connection of its own."""

Cached = tuple[bytes, tuple[tuple[bytes, bytes], ...], bytes]
"""Body, headers, ETag (empty: none)."""
Make = Callable[[], tuple[str, dict[str, str]]]
"""Says the JSON text and headers of an answer."""


class Revisions:
    """Asks once for all who came before the question was put: what they have seen acknowledged is in the answer."""

    def __init__(self, ask: Callable[[], int]) -> None:
        self._ask = ask
        self._together: tuple[asyncio.AbstractEventLoop, list[asyncio.Future[int]]] | None = None

    async def now(self) -> int:
        """The revision of the catalog at a moment after this call."""
        loop = asyncio.get_running_loop()
        together = self._together
        if together is None or together[0] is not loop:
            together = self._together = (loop, [])
            # Requests whose bytes are there already are begun before this is called.
            loop.call_soon(self._answer, together)
        mine: asyncio.Future[int] = loop.create_future()
        together[1].append(mine)
        return await mine

    def _answer(self, together: tuple[asyncio.AbstractEventLoop, list[asyncio.Future[int]]]) -> None:
        if self._together is together:
            self._together = None
        waiting = [one for one in together[1] if not one.done()]
        try:
            revision = self._ask()
        except Exception as error:  # noqa: BLE001  each of them raises it
            for one in waiting:
                one.set_exception(error)
        else:
            for one in waiting:
                one.set_result(revision)


class Memory:
    """Answers that depend on the catalog's revision alone: every reader may see everything."""

    def __init__(self, reads: BackstageReads) -> None:
        self._reads = reads
        self._cache: RevisionCache[Cached] = RevisionCache(_CACHE_BYTES)
        self._revisions = Revisions(reads.revision)
        self._threads = ThreadPoolExecutor(_THREADS, "catalog-reads") if reads.far else None

    async def answer(
        self, request: Request, make: Make, body: bytes = b"", *, pool: bool = False, own: bool = False
    ) -> Response:
        """The remembered answer, or what ``make`` says now.

        :param pool: whether it takes so long that a thread of the pool makes it.
        :param own: whether it is asked so often, too, that threads with connections of their own make it.
        """
        self._reads.adopt()
        scope = request.scope
        revision = await self._revisions.now() if self._reads.far else self._reads.revision()
        key = (scope.get("raw_path") or scope["path"], scope["query_string"], body)
        found = self._cache.get(revision, key)
        if found is None:
            found = await self._made(revision, make, tagged=scope["method"] == "GET", pool=pool, own=own)
            self._cache.put(revision, key, found, len(found[0]) + len(key[0]) + len(key[1]) + len(body))
        return _sent(request, found)

    async def _made(self, revision: int, make: Make, *, tagged: bool, pool: bool, own: bool) -> Cached:
        def now() -> Cached:
            with self._reads.at(revision):
                return _encoded(*make(), tagged=tagged)

        if own and self._threads is not None:

            def there() -> Cached:
                self._reads.adopt()
                return now()

            return await asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, there)
        return await run_in_threadpool(now) if pool or own else now()


class _Raw(Response):
    """An answer whose headers are known as bytes."""

    def __init__(self, body: bytes, headers: tuple[tuple[bytes, bytes], ...], status: int = 200) -> None:
        self.status_code = status
        self.body = body
        self.background = None
        self.raw_headers = [*headers]


def _sent(request: Request, found: Cached) -> Response:
    content, headers, tag = found
    for name, value in request.scope["headers"]:
        if name == b"if-none-match" and tag and tag in value:
            return _Raw(b"", ((b"etag", tag),), 304)
    return _Raw(content, headers)


def _encoded(text: str, extra: dict[str, str], *, tagged: bool) -> Cached:
    content = text.encode()
    headers = [
        (b"content-type", _JSON),
        (b"content-length", str(len(content)).encode()),
        *((name.encode(), value.encode("latin-1", "replace")) for name, value in extra.items()),
    ]
    tag = b""
    if tagged:
        tag = f'W/"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'.encode()
        headers.append((b"etag", tag))
    return content, tuple(headers), tag
