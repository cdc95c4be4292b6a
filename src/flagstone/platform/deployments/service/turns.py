"""One rollout of a deployment at a time: a lock in the database over all processes, one in memory over threads."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from flagstone.kernel.errors import Conflict, NotFound, Temporary
from flagstone.platform.deployments.store import DeploymentStore
from flagstone.toolkit.signals import Signals

log = logging.getLogger("flagstone.deployments")

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


def stopping() -> Temporary:
    """What is said while the server stops: a step that is told so goes on after the next start."""
    return Temporary(
        "deployments.stopping", "The server is stopping.", hint="It goes on after the next start.", retry_after=2
    )


@dataclass(slots=True)
class Turn:
    """The right to change a deployment. ``fence`` proves it to the database."""

    fence: int
    lost: threading.Event = field(default_factory=threading.Event)


class Turns:
    """Gives out turns."""

    def __init__(self, store: DeploymentStore, signals: Signals, *, wait: float) -> None:
        self._store = store
        self._signals = signals
        self._wait = wait
        self._guard = threading.Condition()
        self._taken = 0
        self._closing = False
        self._locks: dict[str, threading.RLock] = defaultdict(threading.RLock)

    @contextmanager
    def local(self, deployment_id: str, *, blocking: bool = True) -> Iterator[bool]:
        """Keep the other threads of this process away from a deployment's runtime; whether that was possible."""
        with self._guard:
            lock = self._locks[deployment_id]
        taken = lock.acquire(blocking=blocking)
        try:
            yield taken
        finally:
            if taken:
                lock.release()

    @property
    def closing(self) -> bool:
        """The server stops: what is under way should be given up, and will go on after the next start."""
        return self._closing

    def close(self, timeout: float) -> None:
        """Give out no more turns, and wait up to ``timeout`` seconds until those given out have ended."""
        with self._guard:
            self._closing = True
            self._guard.wait_for(lambda: self._taken == 0, timeout)

    @contextmanager
    def take(self, deployment_id: str, execution: Execution) -> Iterator[Turn]:
        """The turn of a step. Waits for whoever has it; raises Conflict naming them when that takes too long.

        Raises Temporary while the server stops.
        """
        turn = Turn(self._acquire(deployment_id, execution))
        with self._guard:
            self._taken += 1
        done = threading.Event()
        beat = threading.Thread(
            target=self._hold, args=(deployment_id, turn, done), name=f"turn-{deployment_id}", daemon=True
        )
        beat.start()
        try:
            with self.local(deployment_id):
                yield turn
        finally:
            done.set()
            try:
                self._store.release(deployment_id, turn.fence)
            finally:
                with self._guard:
                    self._taken -= 1
                    self._guard.notify_all()
            self._signals.notify(f"deployment:{deployment_id}")

    def _acquire(self, deployment_id: str, execution: Execution) -> int:
        deadline = time.monotonic() + self._wait
        told = False
        while True:
            if self._closing:
                raise stopping()
            name = f"run {execution.run_id}" if execution.run_id else "another rollout"
            fence = self._store.acquire(deployment_id, holder=execution.step_key, holder_name=name, lease=LEASE)
            if fence is not None:
                return fence
            current = self._store.get(deployment_id)
            if current is None:
                raise NotFound("deployments.not_found", f"The deployment {deployment_id} has been removed.")
            holder = current.holder_name or "another rollout"
            if execution.cancelled() or time.monotonic() >= deadline:
                raise Conflict(
                    "deployments.busy",
                    f"The deployment {deployment_id} is being changed by {holder}.",
                    hint="Wait until that has ended, or cancel it, and try again.",
                    retry_after=10,
                )
            if not told:
                execution.progress(f"Waiting: the deployment is being changed by {holder}.")
                told = True
            self._signals.wait(f"deployment:{deployment_id}", min(1.0, max(0.05, deadline - time.monotonic())))

    def _hold(self, deployment_id: str, turn: Turn, done: threading.Event) -> None:
        while not done.wait(LEASE / 3):
            try:
                if not self._store.renew(deployment_id, turn.fence, lease=LEASE):
                    turn.lost.set()
                    return
            except Exception:
                log.exception("the rollout lock of %s could not be renewed", deployment_id)
