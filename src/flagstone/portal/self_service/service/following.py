"""Live streams for the browser: first what there is, then what comes, with a sign of life in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from starlette.concurrency import run_in_threadpool

from flagstone.contracts.gateway import RunGateway
from flagstone.contracts.runs import RunView
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import Now, utc_now
from flagstone.portal.self_service.model import ACTIVE, Frames
from flagstone.portal.self_service.model.frames import END, PING, line_frame, state_frame

PING_SECONDS = 15.0
_PORTION = 1000
_LINES = 500


async def follow_run(
    gateway: RunGateway, principal: Principal, run: RunView, after: int = 0, *, now: Now = utc_now
) -> AsyncGenerator[str, None]:
    """Frames of a run after a cursor, until it has ended."""
    frames = Frames(run)
    if run.state in ACTIVE:
        yield state_frame(run, now())
    while found := await run_in_threadpool(gateway.run_events, run.id, principal, after=after, limit=_PORTION):
        yield "".join(frames.of(event) for event in found)
        after = found[-1].seq
        if len(found) < _PORTION:
            break
    if run.state in ACTIVE:
        async for event in gateway.follow_run(run.id, principal, after=after):
            yield frames.of(event)
        final = await run_in_threadpool(gateway.get_run, run.id, principal)
        yield state_frame(final, now())
    yield END


async def follow_log(
    gateway: RunGateway, principal: Principal, deployment_id: str, after: int = -1, number: int = 0
) -> AsyncGenerator[str, None]:
    """Frames of a workload's log: the last lines (or those after a cursor), then every new one.

    ``number`` is how many lines the reader has already.
    """
    found = await run_in_threadpool(gateway.deployment_log, deployment_id, principal, after=after, limit=_LINES)
    if found:
        yield "".join(line_frame(line, number + place) for place, line in enumerate(found, 1))
        after, number = found[-1].seq, number + len(found)
    async for line in gateway.follow_deployment_log(deployment_id, principal, after=after):
        if line.seq > after:
            number += 1
            yield line_frame(line, number)


async def with_pings(source: AsyncGenerator[str, None], seconds: float = PING_SECONDS) -> AsyncIterator[str]:
    """The same with a comment whenever nothing was said for a while, so that nobody in between hangs up."""
    waiting: asyncio.Task[str] | None = None

    async def following() -> str:
        return await anext(source)

    try:
        while True:
            waiting = waiting or asyncio.create_task(following())
            done, _ = await asyncio.wait({waiting}, timeout=seconds)
            if not done:
                yield PING
                continue
            try:
                item = waiting.result()
            except StopAsyncIteration:
                return
            waiting = None
            yield item
    finally:
        if waiting is not None:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        await source.aclose()
