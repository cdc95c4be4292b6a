"""The sources that are there, by the type of location that they read."""

from __future__ import annotations

from collections.abc import Iterable

from flagstone.kernel.errors import Conflict, Invalid
from flagstone.sdk import EntitySource


class SourceBook:
    """The sources by the type of location that they read."""

    def __init__(self, sources: Iterable[EntitySource]) -> None:
        self._sources: dict[str, EntitySource] = {}
        for source in sources:
            self.add_source(source)

    def add_source(self, source: EntitySource, plugin: str = "") -> None:
        """Register a type of location. Raises Conflict (``catalog.source_twice``) when there is one of this name."""
        if source.type in self._sources:
            message = f"The type of location {source.type!r} of {plugin or '?'} is there already."
            raise Conflict("catalog.source_twice", message, hint="Remove one of the two plugins.")
        self._sources[source.type] = source

    def source(self, type_: str) -> EntitySource:
        """The source of a type of location. Raises Invalid (``catalog.unknown_source``)."""
        source = self._sources.get(type_)
        if source is None:
            known = ", ".join(sorted(self._sources))
            raise Invalid("catalog.unknown_source", f"There is no type of location {type_!r}.", hint=f"Known: {known}.")
        return source

    def source_types(self) -> list[str]:
        """Types of locations that can be read."""
        return sorted(self._sources)
