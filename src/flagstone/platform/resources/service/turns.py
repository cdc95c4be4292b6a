"""One change of a resource at a time, over all processes: a lock in the database that its holder keeps alive."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flagstone.kernel.errors import Temporary
from flagstone.platform.resources.store import ResourceStore
from flagstone.toolkit.signals import Signals

log = logging.getLogger("flagstone.resources")

LEASE = 30
"""Seconds that a lock is held without a sign of life from its holder."""


def _nothing(_text: str) -> None:
    """Nobody listens."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Execution:
    """The step of a run that something is done for."""

    step_key: str
    """Stable over retries and restarts: what was done under it is not done again."""
    run_id: str | None = None
    progress: Callable[[str], None] = _nothing
    cancelled: Callable[[], bool] = _never


def _busy(uid: str, holder: str) -> Temporary:
    return Temporary(
        "resources.busy",
        f"The resource {uid} is being changed by {holder}.",
        hint="The step tries again by itself; cancel the other run if it does not end.",
        retry_after=10,
    )


class Turns:
    """Gives out turns."""

    def __init__(self, store: ResourceStore, signals: Signals, *, wait: float) -> None:
        self._store = store
        self._signals = signals
        self._wait = wait
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    @contextmanager
    def take(self, uid: str, execution: Execution) -> Iterator[int]:
        """The turn of a step, as the fence that proves it. Raises Temporary while somebody else has it."""
        with self._guard:
            lock = self._locks.setdefault(uid, threading.Lock())
        # A step that took too long was left behind, and may still be at it when the step is tried again.
        if not lock.acquire(timeout=self._wait):
            raise _busy(uid, "a step of this process")
        try:
            with self._held(uid, execution) as fence:
                yield fence
        finally:
            lock.release()

    @contextmanager
    def _held(self, uid: str, execution: Execution) -> Iterator[int]:
        fence = self._acquire(uid, execution)
        done = threading.Event()
        threading.Thread(target=self._hold, args=(uid, fence, done), name=f"resource-{uid}", daemon=True).start()
        try:
            yield fence
        finally:
            done.set()
            self._store.release(uid, fence)
            self._signals.notify(f"resource:{uid}")

    def _acquire(self, uid: str, execution: Execution) -> int:
        deadline = time.monotonic() + self._wait
        told = False
        while True:
            name = f"run {execution.run_id}" if execution.run_id else "another step"
            fence = self._store.acquire(uid, holder=execution.step_key, holder_name=name, lease=LEASE)
            if fence is not None:
                return fence
            holder = self._store.holder(uid) or "another step"
            if execution.cancelled() or time.monotonic() >= deadline:
                raise _busy(uid, holder)
            if not told:
                execution.progress(f"Waiting: the resource is being changed by {holder}.")
                told = True
            self._signals.wait(f"resource:{uid}", min(1.0, max(0.05, deadline - time.monotonic())))

    def _hold(self, uid: str, fence: int, done: threading.Event) -> None:
        while not done.wait(LEASE / 3):
            try:
                if not self._store.renew(uid, fence, lease=LEASE):
                    return
            except Exception:
                log.exception("the lock of the resource %s could not be renewed", uid)
