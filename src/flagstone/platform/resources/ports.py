"""Resource types and drivers by name: where plugins plug in what may be asked for and who makes it."""

from __future__ import annotations

import threading
from pathlib import Path

from jsonschema import Draft202012Validator, SchemaError

from flagstone.kernel.errors import Conflict, Invalid, NotFound
from flagstone.sdk import DriverContext, ResourceDriver, ResourceType


class ResourceRegistry:
    """Filled once while the process starts, read ever after."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._types: dict[str, ResourceType] = {}
        self._drivers: dict[str, ResourceDriver] = {}
        self._plugins: dict[str, str] = {}
        self._opened: set[str] = set()
        self._lock = threading.Lock()

    def add_type(self, found: ResourceType, plugin: str) -> None:
        """Register a type of a plugin. Raises Conflict when the name is taken, Invalid for schemas that are none."""
        self._claim(f"type {found.name}", plugin)
        try:
            for schema in (found.params_schema, found.outputs_schema):
                Draft202012Validator.check_schema(dict(schema))
        except SchemaError as error:
            raise Invalid(
                "resources.bad_schema", f"A schema of the resource type {found.name} is not sound: {error.message}"
            ) from error
        self._types[found.name] = found

    def add_driver(self, driver: ResourceDriver, plugin: str) -> None:
        """Register a driver of a plugin. Raises Conflict when the name is taken."""
        self._claim(f"driver {driver.name}", plugin)
        self._drivers[driver.name] = driver

    def _claim(self, what: str, plugin: str) -> None:
        other = self._plugins.setdefault(what, plugin)
        if other != plugin or what.partition(" ")[2] in (self._types if what[0] == "t" else self._drivers):
            raise Conflict(
                "resources.duplicate",
                f"The plugins {other!r} and {plugin!r} both bring the resource {what}.",
                hint="Remove one of them, or have one renamed.",
            )

    def type(self, name: str) -> ResourceType:
        """The type of that name. Raises NotFound with the names that there are."""
        found = self._types.get(name)
        if found is None:
            raise NotFound(
                "resources.no_such_type",
                f"There is no resource type named {name!r:.100}.",
                hint=f"Known types: {', '.join(sorted(self._types)) or 'none'}. A type comes with a plugin.",
            )
        return found

    def types(self) -> list[ResourceType]:
        """All types by name."""
        return [self._types[name] for name in sorted(self._types)]

    def drivers(self) -> list[ResourceDriver]:
        """All drivers by name."""
        return [self._drivers[name] for name in sorted(self._drivers)]

    def driver(self, name: str) -> ResourceDriver:
        """The driver of that name, open. Raises NotFound with the names that there are."""
        found = self._drivers.get(name)
        if found is None:
            raise NotFound(
                "resources.no_such_driver",
                f"There is no resource driver named {name!r:.100}.",
                hint=f"Known drivers: {', '.join(sorted(self._drivers)) or 'none'}. A driver comes with a plugin.",
            )
        with self._lock:
            if name not in self._opened:
                found.open(DriverContext(self._folder / name))
                self._opened.add(name)
        return found

    def source_of(self, type_name: str) -> str:
        """The plugin that brought a type."""
        return self._plugins.get(f"type {type_name}", "")
