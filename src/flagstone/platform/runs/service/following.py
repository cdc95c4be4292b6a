"""Live followers of runs: each run is read once for all who follow it, and all runs are looked at with one query."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from flagstone.contracts.runs import RunEvent
from flagstone.platform.runs.model import SETTLED
from flagstone.platform.runs.store import EventStore, RunStore
from flagstone.toolkit.signals import Signals

log = logging.getLogger("flagstone.runs")

_LOOK_AGAIN = 0.5
"""Seconds between looks at all followed runs: another process may write without waking this one."""
_GATHER = 0.05
"""Seconds in which changes are gathered before they are read: many followers cost less with fewer, larger pieces."""
_STILL_HERE = 15.0
"""Seconds between signs of life."""
_PAGE = 1000
_KEPT = 2000
"""Newest events of a run that are kept for those who follow it."""


@dataclass
class _Channel:
    """One followed run. ``until``: everything up to this number was read; ``ended``: no more will come."""

    run_id: str
    until: int
    ended: bool
    recent: deque[RunEvent] = field(default_factory=lambda: deque(maxlen=_KEPT))
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    followers: int = 0
    frames: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def after(self, seq: int) -> list[RunEvent] | None:
        """The events after a number; None when they are not all here."""
        if seq >= self.until:
            return []
        if not self.recent or self.recent[0].seq > seq + 1:
            return None
        start = seq + 1 - self.recent[0].seq
        return [self.recent[place] for place in range(start, min(len(self.recent), start + _PAGE))]

    def frame(self, found: list[RunEvent]) -> bytes:
        """Events as they are sent; kept until there are new ones."""
        key = found[0].seq, found[-1].seq
        if key not in self.frames:
            self.frames[key] = b"".join(
                f"id: {event.seq}\nevent: {event.type}\ndata: {event.model_dump_json()}\n\n".encode() for event in found
            )
        return self.frames[key]

    def wake(self) -> None:
        """Let those who wait look."""
        self.frames.clear()
        self.changed.set()
        self.changed = asyncio.Event()


class _Watch:
    """All followed runs of one event loop."""

    def __init__(self, hub: Followers) -> None:
        self.channels: dict[str, _Channel] = {}
        self.task: asyncio.Task[None] | None = None
        self._hub = hub

    async def run(self) -> None:
        """Until nobody follows any more."""
        while self.channels:
            await self._hub.signals.wait_async("runs.log", _LOOK_AGAIN)
            await asyncio.sleep(_GATHER)
            try:
                self.look()
            except Exception:
                log.exception("the logs that are followed cannot be read; trying again")
                await asyncio.sleep(1)

    def look(self) -> None:
        """Read what is new. Short and indexed, so it runs inline."""
        ids = list(self.channels)
        for start in range(0, len(ids), 500):
            for run_id, (state, last) in self._hub.runs.progress_of(ids[start : start + 500]).items():
                self._take(self.channels[run_id], state, last)

    def _take(self, channel: _Channel, state: str, last: int) -> None:
        before = channel.until, channel.ended
        while channel.until < last:
            found = self._hub.events.read(channel.run_id, after=channel.until, limit=_PAGE)
            if not found:
                break
            channel.recent.extend(found)
            channel.until = found[-1].seq
        channel.ended = state in SETTLED and channel.until >= last
        if (channel.until, channel.ended) != before:
            channel.wake()


class Followers:
    """Hands events to followers."""

    def __init__(self, runs: RunStore, events: EventStore, signals: Signals) -> None:
        self.runs = runs
        self.events = events
        self.signals = signals
        self._guard = threading.Lock()
        self._watches: dict[asyncio.AbstractEventLoop, _Watch] = {}

    async def follow(self, run_id: str, after: int) -> AsyncIterator[list[RunEvent]]:
        """Events after a number, live, in pieces as they come, until the run has settled.

        An empty piece is a sign of life, for connections that close when nothing is said for long.
        """
        watch = self._watch()
        channel = self._channel(watch, run_id)
        channel.followers += 1
        if watch.task is None or watch.task.done():
            watch.task = asyncio.get_running_loop().create_task(watch.run())
        try:
            while True:
                changed, ended = channel.changed, channel.ended
                found = channel.after(after)
                if found is None:
                    found = self.events.read(run_id, after=after, limit=_PAGE)
                if found:
                    after = found[-1].seq
                    yield found
                elif ended:
                    return
                elif not await _happens(changed):
                    yield []
        finally:
            channel.followers -= 1
            if channel.followers == 0 and watch.channels.get(run_id) is channel:
                del watch.channels[run_id]

    async def frames(self, run_id: str, after: int) -> AsyncIterator[bytes]:
        """The same as server-sent events. What many followers are sent is written once."""
        channel = self._channel(self._watch(), run_id)
        async for found in self.follow(run_id, after):
            yield channel.frame(found) if found else b": still here\n\n"

    def _channel(self, watch: _Watch, run_id: str) -> _Channel:
        channel = watch.channels.get(run_id)
        if channel is None:
            state, last = self.runs.progress_of([run_id]).get(run_id, ("cancelled", 0))
            channel = watch.channels[run_id] = _Channel(run_id, last, state in SETTLED)
        return channel

    def _watch(self) -> _Watch:
        loop = asyncio.get_running_loop()
        with self._guard:
            for old in [known for known in self._watches if known.is_closed()]:
                del self._watches[old]
            return self._watches.setdefault(loop, _Watch(self))


async def _happens(event: asyncio.Event) -> bool:
    try:
        await asyncio.wait_for(event.wait(), _STILL_HERE)
    except TimeoutError:
        return False
    return True
