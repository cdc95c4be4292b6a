"""The kinds that this catalog knows, by name: what is valid, which fields are relations, how they look."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft7Validator

from flagstone.kernel.errors import Conflict
from flagstone.sdk import EntityKind, RelationField


@dataclass(frozen=True, slots=True)
class Known:
    """A kind with its schema compiled."""

    kind: EntityKind
    validator: Draft7Validator
    relations: tuple[tuple[tuple[str, ...], RelationField], ...]
    """Path, split, and field."""


class KindRegistry:
    """All kinds of one process. Filled when it starts; two kinds with one name are an error."""

    def __init__(self, kinds: Iterable[EntityKind] = ()) -> None:
        self._known: dict[str, Known] = {}
        self._by: dict[str, str] = {}
        self._forward: set[str] = set()
        self._opposites: dict[str, str] = {}
        for kind in kinds:
            self.add(kind)

    def add(self, kind: EntityKind, plugin: str = "") -> None:
        """Register a kind. Raises Conflict (``catalog.kind_twice``) when there is one of this name."""
        name = kind.name.lower()
        if name in self._known:
            message = f"The entity kind {kind.name} of {plugin or '?'} is there already, from {self._by[name] or '?'}."
            raise Conflict("catalog.kind_twice", message, hint="Remove one of the two plugins.")
        paths = tuple((tuple(field.path.split(".")), field) for field in kind.relations)
        self._known[name] = Known(kind, Draft7Validator(kind.schema), paths)
        self._by[name] = plugin
        for field in kind.relations:
            self._opposites |= {field.forward: field.reverse, field.reverse: field.forward}
            if field.forward not in _REVERSE:
                self._forward.add(field.forward)

    @property
    def forward(self) -> Collection[str]:
        """Relation names of the declaring side, one of each pair: what a graph draws."""
        return self._forward

    @property
    def opposites(self) -> Mapping[str, str]:
        """The other name of each relation."""
        return self._opposites

    def find(self, name: str) -> Known | None:
        """A kind by name, whatever its case."""
        return self._known.get(name.lower())

    def all(self) -> list[EntityKind]:
        """Every kind, in order of registration."""
        return [known.kind for known in self._known.values()]

    def label(self, name: str) -> str:
        """The kind as it is written: ``api`` -> ``API``."""
        known = self._known.get(name.lower())
        return known.kind.name if known else name

    def icon(self, name: str) -> str:
        """The icon of a kind."""
        known = self._known.get(name.lower())
        return known.kind.icon if known else "box"

    def names(self) -> tuple[str, ...]:
        """Names as written."""
        return tuple(known.kind.name for known in self._known.values())


_REVERSE = frozenset({"dependencyOf", "parentOf", "hasMember"})
"""Forward names in a field of their own that are the opposite of another field's: drawn once, from the other side."""


def value_at(entity: Mapping[str, Any], path: Iterable[str]) -> Any:
    """The value of a path, or None."""
    value: Any = entity
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value
