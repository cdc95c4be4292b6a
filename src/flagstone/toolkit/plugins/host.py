"""The plugin manager around pluggy, with every call fenced."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any

import pluggy

from flagstone.kernel.errors import FlagstoneError

log = logging.getLogger("flagstone.plugins")


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one plugin returned from a hook."""

    plugin: str
    value: Any


@dataclass(frozen=True, slots=True)
class PluginFailure:
    """A plugin that could not be loaded, or whose hook raised."""

    plugin: str
    hook: str
    error: str


class PluginHost:
    """Plugins in order of registration: our own first, strangers' after them."""

    def __init__(self, project: str, specs: ModuleType, *, trace: bool = False) -> None:
        self.manager = pluggy.PluginManager(project)
        self.manager.add_hookspecs(specs)
        self.failures: list[PluginFailure] = []
        self._project = project
        self._own: set[str] = set()
        self._order: list[str] = []
        if trace:
            self.manager.trace.root.setwriter(lambda text: log.info("%s", text.rstrip()))
            self.manager.enable_tracing()

    def add(self, name: str, plugin: object, *, own: bool = True) -> None:
        """Register a plugin. One of our own that is wrong raises; a stranger's is noted in :attr:`failures`."""
        try:
            self.manager.register(plugin, name)
            self.manager.check_pending()
        except (ValueError, pluggy.PluginValidationError) as error:
            if own:
                raise
            self._fail(name, "register", error)
            if self.manager.has_plugin(name):
                self.manager.unregister(name=name)
            return
        self._order.append(name)
        if own:
            self._own.add(name)

    def discover(self) -> None:
        """Load every installed plugin that announces itself by an entry point."""
        for point in entry_points(group=self._project):
            try:
                plugin = point.load()
            except Exception as error:  # noqa: BLE001  a stranger's import may raise anything
                self._fail(point.name, "load", error)
                continue
            self.add(point.name, plugin, own=False)

    def names(self) -> list[tuple[str, bool]]:
        """(name, whether it is our own), in order."""
        return [(name, name in self._own) for name in self._order]

    def call(self, hook: str, *, only: Iterable[str] | None = None, **arguments: Any) -> list[Contribution]:
        """Call a hook of every plugin in order. A stranger that raises is noted and left out; None answers are left
        out.
        """
        wanted = set(only) if only is not None else None
        found: list[Contribution] = []
        implementations = {impl.plugin_name: impl for impl in getattr(self.manager.hook, hook).get_hookimpls()}
        for name in self._order:
            implementation = implementations.get(name)
            if implementation is None or (wanted is not None and name not in wanted):
                continue
            try:
                value = implementation.function(*(arguments[key] for key in implementation.argnames))
                value = list(value) if isinstance(value, Iterable) and not isinstance(value, dict | str) else value
            except Exception as error:
                if name in self._own:
                    raise
                self._fail(name, hook, error)
                continue
            if value is not None:
                found.append(Contribution(name, value))
        return found

    def _fail(self, plugin: str, hook: str, error: BaseException) -> None:
        text = error.message if isinstance(error, FlagstoneError) else f"{type(error).__name__}: {error}"
        log.error("plugin %s failed in %s: %s", plugin, hook, text, exc_info=error)
        self.failures.append(PluginFailure(plugin, hook, text))
