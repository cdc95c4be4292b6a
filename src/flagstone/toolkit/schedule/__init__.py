"""Doing something again and again in the background. What must not be missed or done twice is a run, not this."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger("flagstone.schedule")


class Every:
    """Calls ``call`` every ``seconds``, in a daemon thread of its own, the first time after ``first`` seconds.

    A call that raises is logged and tried again at its next time.
    """

    def __init__(self, name: str, seconds: float, call: Callable[[], object], *, first: float = 60.0) -> None:
        self._name = name
        self._seconds = seconds
        self._call = call
        self._first = first
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Stop after the call that is being made; waits up to ``timeout`` seconds for it."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        pause = self._first
        while not self._stop.wait(pause):
            pause = self._seconds
            try:
                self._call()
            except Exception:
                log.exception("%s failed; it is tried again in %.0f seconds", self._name, pause)


__all__ = ["Every"]
