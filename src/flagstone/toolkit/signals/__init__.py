"""Wake-up calls within one process: "something about this topic changed, look again".

A signal carries nothing and may be lost between processes; whoever waits also looks at the database every now and then.
What must not be lost goes through the outbox.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict

_SHORT = 0.05
"""Seconds that a wait takes when the process is stopping: loops that are about to end do not spin."""


class Signals:
    """Topics are free strings (``run:<id>``). Thread-safe; waiters may be threads or coroutines."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: dict[str, list[threading.Event]] = defaultdict(list)
        self._tasks: dict[str, list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = defaultdict(list)
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the process is stopping: nobody should wait any more."""
        return self._closed

    def close(self) -> None:
        """The process is stopping: whoever waits goes on at once, and later waits are short looks."""
        self._closed = True
        with self._lock:
            topics = [*self._threads, *self._tasks]
        for topic in topics:
            self.notify(topic)

    def notify(self, topic: str) -> None:
        """Wake everybody who waits for a topic."""
        with self._lock:
            threads = self._threads.pop(topic, [])
            tasks = self._tasks.pop(topic, [])
        for waiter in threads:
            waiter.set()
        for loop, flag in tasks:
            if not loop.is_closed():
                loop.call_soon_threadsafe(flag.set)

    def wait(self, topic: str, timeout: float) -> bool:
        """Block this thread until the topic is notified; False when the time (seconds) ran out."""
        waiter = threading.Event()
        with self._lock:
            self._threads[topic].append(waiter)
        if self._closed:
            timeout = min(timeout, _SHORT)
        if waiter.wait(timeout):
            return True
        with self._lock:
            if waiter in self._threads.get(topic, ()):
                self._threads[topic].remove(waiter)
        return False

    async def wait_async(self, topic: str, timeout: float) -> bool:
        """The same for a coroutine."""
        entry = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._tasks[topic].append(entry)
        try:
            await asyncio.wait_for(entry[1].wait(), min(timeout, _SHORT) if self._closed else timeout)
        except TimeoutError:
            return False
        finally:
            with self._lock:
                if entry in self._tasks.get(topic, ()):
                    self._tasks[topic].remove(entry)
        return True
