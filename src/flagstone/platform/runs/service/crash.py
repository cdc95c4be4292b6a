"""Crash points: a test aid that ends the process as if the power had failed, at a named place."""

from __future__ import annotations

import os
import threading

from flagstone.kernel.errors import Invalid

POINTS = ("before_intent", "after_intent", "after_effect", "before_result", "between_steps")


class CrashPoints:
    """``spec`` is ``name`` or ``name:n`` (the n-th time); empty: never."""

    def __init__(self, spec: str = "") -> None:
        name, _, count = spec.partition(":")
        if name and (name not in POINTS or (count and not count.isdigit())):
            raise Invalid("runs.bad_crash_point", f"runs.crash_at is {spec!r}.", hint=f"Points: {', '.join(POINTS)}.")
        self._name = name
        self._left = int(count) if count else 1
        self._lock = threading.Lock()

    def hit(self, name: str) -> None:
        """Die here, when it is the time."""
        if name != self._name:
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os._exit(137)
