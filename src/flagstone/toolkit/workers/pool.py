"""Processes that are spawned (never forked: the server has threads) and never outlive the one that made them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Any, TypeVar

T = TypeVar("T")

_MOST = 4
_IDLE_SECONDS = 10.0


class WorkerPool:
    """Runs functions in other processes. Safe to use from many threads."""

    def __init__(
        self,
        initializer: Callable[..., None] | None = None,
        *,
        size: int | None = None,
        idle_seconds: float = _IDLE_SECONDS,
    ) -> None:
        """``initializer`` runs in each process with the arguments that :meth:`submit` was first given for it.

        ``size``: one process fewer than there are processors, and at least one, unless it is given.
        """
        self._initializer = initializer
        self._size = size or max(1, min(_MOST, (os.cpu_count() or 1) - 1))
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._executor: ProcessPoolExecutor | None = None
        self._arguments: tuple[Any, ...] = ()
        self._running = 0
        self._timer: threading.Timer | None = None
        self._closed = False

    @property
    def size(self) -> int:
        """How many processes there are at most."""
        return self._size

    def submit(self, call: Callable[..., T], *arguments: Any, setup: tuple[Any, ...] = ()) -> Future[T]:
        """Run ``call(*arguments)`` in a process set up with ``setup``. Raises RuntimeError after :meth:`close`.

        A process that dies (killed for its memory, say) fails the futures of that moment; the next call gets new ones.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("the workers have been stopped")
            if self._executor is not None and self._arguments != setup:
                self._executor.shutdown(wait=False)
                self._executor = None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            future = self._submitted(call, arguments, setup)
            self._running += 1
        future.add_done_callback(self._done)
        return future

    def _submitted(self, call: Callable[..., T], arguments: tuple[Any, ...], setup: tuple[Any, ...]) -> Future[T]:
        if self._executor is not None:
            try:
                return self._executor.submit(call, *arguments)
            except BrokenProcessPool:
                self._executor.shutdown(wait=False)
        self._arguments = setup
        self._executor = ProcessPoolExecutor(
            self._size,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start,
            initargs=(self._initializer, setup),
        )
        return self._executor.submit(call, *arguments)

    def _done(self, _future: Future[Any]) -> None:
        with self._lock:
            self._running -= 1
            if self._running or self._executor is None or self._closed:
                return
            self._timer = threading.Timer(self._idle_seconds, self._end_idle)
            self._timer.daemon = True
            self._timer.start()

    def _end_idle(self) -> None:
        with self._lock:
            if self._running or self._executor is None:
                return
            executor, self._executor = self._executor, None
        executor.shutdown(wait=True)

    def close(self) -> None:
        """End the processes; what has not begun is cancelled. They can be started again only in a new pool."""
        with self._lock:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=True, cancel_futures=True)


def _start(initializer: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    # Whoever stops the server with the keyboard means the server, which ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_die_with, args=(parent.sentinel,), name="parent-watch", daemon=True).start()
    if initializer is not None:
        initializer(*arguments)


def _die_with(sentinel: Any) -> None:
    wait([sentinel])
    os._exit(1)
