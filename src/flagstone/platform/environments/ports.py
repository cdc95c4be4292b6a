"""Runtimes by name: where plugins plug in what executes workloads."""

from __future__ import annotations

from flagstone.kernel.errors import Conflict, NotFound
from flagstone.sdk import Runtime


class RuntimeRegistry:
    """Filled once while the process starts, read ever after."""

    def __init__(self) -> None:
        self._runtimes: dict[str, Runtime] = {}
        self._plugins: dict[str, str] = {}

    def add(self, runtime: Runtime, plugin: str) -> None:
        """Register a runtime of a plugin. Raises Conflict naming both plugins when the name is taken."""
        other = self._plugins.get(runtime.name)
        if other is not None:
            raise Conflict(
                "environments.duplicate_runtime",
                f"The plugins {other!r} and {plugin!r} both bring a runtime named {runtime.name!r}.",
                hint="Remove one of them, or have one renamed.",
            )
        self._runtimes[runtime.name] = runtime
        self._plugins[runtime.name] = plugin

    def get(self, name: str) -> Runtime:
        """The runtime of that name. Raises NotFound with the names that there are."""
        try:
            return self._runtimes[name]
        except KeyError:
            known = ", ".join(self.names()) or "none"
            raise NotFound(
                "environments.no_such_runtime",
                f"There is no runtime named {name!r}.",
                hint=f"Known runtimes: {known}. A runtime comes with a plugin.",
            ) from None

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._runtimes)

    def plugin_of(self, name: str) -> str:
        """The plugin that brought a runtime; empty when there is no such runtime."""
        return self._plugins.get(name, "")
