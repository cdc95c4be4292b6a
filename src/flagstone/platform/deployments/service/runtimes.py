"""Runtimes in use: opened when they are first needed, closed with the server."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from flagstone.platform.deployments.service.turns import stopping
from flagstone.platform.environments import RuntimeRegistry
from flagstone.sdk import Runtime, RuntimeContext

log = logging.getLogger("flagstone.deployments")


class OpenRuntimes:
    """Gives out opened runtimes. A run that is resumed may need one before the slice itself has been started."""

    def __init__(self, registry: RuntimeRegistry, context: Callable[[str], RuntimeContext]) -> None:
        self._registry = registry
        self._context = context
        self._open: dict[str, Runtime] = {}
        self._lock = threading.Lock()
        self._closed = False

    def get(self, name: str) -> Runtime:
        """An opened runtime. Raises NotFound when no plugin brings it, Temporary while the server stops."""
        with self._lock:
            if self._closed:
                raise stopping()
            runtime = self._open.get(name)
            if runtime is None:
                runtime = self._registry.get(name)
                runtime.open(self._context(name))
                self._open[name] = runtime
        return runtime

    def close(self) -> None:
        """End every process of every runtime."""
        with self._lock:
            self._closed = True
            opened, self._open = self._open, {}
        for name, runtime in opened.items():
            try:
                runtime.close()
            except Exception:
                log.exception("the runtime %s did not close", name)
