"""Crash points: a test aid that ends the process as if the power had failed, at a named place."""

from __future__ import annotations

import os
import threading

from flagstone.kernel.errors import Invalid

POINTS = ("before_intent", "after_intent", "after_effect", "before_result", "between_steps", "after_undo")


class CrashPoints:
    """``spec`` is ``name``, ``name:n`` (the n-th time) or ``name@step`` (in the step with that id); empty: never."""

    def __init__(self, spec: str = "") -> None:
        spec, _, step = spec.partition("@")
        name, _, count = spec.partition(":")
        if name and (name not in POINTS or (count and not count.isdigit())):
            raise Invalid("runs.bad_crash_point", f"runs.crash_at is {spec!r}.", hint=f"Points: {', '.join(POINTS)}.")
        self._name = name
        self._step = step
        self._left = int(count) if count else 1
        self._lock = threading.Lock()

    def hit(self, name: str, step: str) -> None:
        """Die here, when it is the time."""
        if name != self._name or self._step not in ("", step):
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os._exit(137)
