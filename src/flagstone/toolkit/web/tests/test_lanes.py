"""Pages are made few at a time; a slow one holds up nobody for long, and what is no page does not wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from flagstone.toolkit.web.lanes import Lanes

PAGE = {"type": "http", "method": "GET", "path": "/", "headers": [(b"accept", b"text/html")]}
DATA = {"type": "http", "method": "GET", "path": "/api", "headers": [(b"accept", b"application/json")]}


class Slow:
    """An application whose answers begin when the test says so."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.begin = asyncio.Event()
        self.end = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        await self.begin.wait()
        self.inside -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await self.end.wait()
        await send({"type": "http.response.body", "body": b""})


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  what is waited for says nothing by itself
        await asyncio.sleep(0.001)


async def _receive() -> Any:
    return {"type": "http.disconnect"}


async def _send(_message: Any) -> None:
    return


def test_no_more_pages_than_lanes_are_made_at_once_and_an_answer_that_lasts_takes_no_lane() -> None:
    async def case() -> None:
        slow = Slow()
        app = Lanes(slow, lanes=2, patience=60)
        pages = [asyncio.create_task(app(dict(PAGE), _receive, _send)) for _ in range(8)]
        await until(lambda: slow.inside == 2)
        slow.begin.set()
        await until(lambda: slow.inside == 0)
        slow.end.set()
        await asyncio.gather(*pages)
        assert slow.most == 2

    asyncio.run(asyncio.wait_for(case(), 20))


def test_a_page_that_hangs_does_not_keep_others_out() -> None:
    async def case() -> None:
        slow = Slow()
        app = Lanes(slow, lanes=1, patience=0.01)
        pages = [asyncio.create_task(app(dict(PAGE), _receive, _send)) for _ in range(3)]
        await until(lambda: slow.inside == 3)
        slow.begin.set()
        slow.end.set()
        await asyncio.gather(*pages)
        # All lanes are free again, and no more of them than there were.
        assert not app._free.locked()
        await app._free.acquire()
        assert app._free.locked()

    asyncio.run(asyncio.wait_for(case(), 20))


def test_what_is_no_page_does_not_wait_for_pages() -> None:
    async def case() -> None:
        slow = Slow()
        app = Lanes(slow, lanes=1, patience=60)
        first = asyncio.create_task(app(dict(PAGE), _receive, _send))
        others = [asyncio.create_task(app(dict(DATA), _receive, _send)) for _ in range(3)]
        await until(lambda: slow.inside == 4)
        slow.begin.set()
        slow.end.set()
        await asyncio.gather(first, *others)

    asyncio.run(asyncio.wait_for(case(), 20))


def test_a_page_that_fails_gives_its_lane_back() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("broken")

    async def case() -> None:
        app = Lanes(broken, lanes=1, patience=60)
        for _ in range(3):
            found = await asyncio.gather(app(dict(PAGE), _receive, _send), return_exceptions=True)
            assert isinstance(found[0], RuntimeError)

    asyncio.run(asyncio.wait_for(case(), 20))
