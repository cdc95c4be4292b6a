"""The kinds that this catalog knows, by name: what is valid, which fields are relations, how they look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft7Validator

from flagstone.sdk import EntityKind, RelationField


@dataclass(frozen=True, slots=True)
class Known:
    """A kind with its schema compiled."""

    kind: EntityKind
    validator: Draft7Validator
    relations: tuple[tuple[tuple[str, ...], RelationField], ...]
    """Path, split, and field."""


class KindRegistry:
    """All kinds of one process. Made once; two kinds with one name are an error."""

    def __init__(self, kinds: Iterable[EntityKind]) -> None:
        self._known: dict[str, Known] = {}
        for kind in kinds:
            if kind.name.lower() in self._known:
                raise ValueError(f"The entity kind {kind.name} is registered twice.")
            paths = tuple((tuple(field.path.split(".")), field) for field in kind.relations)
            self._known[kind.name.lower()] = Known(kind, Draft7Validator(kind.schema), paths)
        self.forward = frozenset(
            field.forward for known in self._known.values() for _, field in known.relations if not _is_reverse(field)
        )
        """Relation names of the declaring side, one of each pair: what a graph draws."""
        self.opposites: Mapping[str, str] = {
            name: other
            for known in self._known.values()
            for _, field in known.relations
            for name, other in ((field.forward, field.reverse), (field.reverse, field.forward))
        }

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


def _is_reverse(field: RelationField) -> bool:
    return field.forward in _REVERSE


def value_at(entity: Mapping[str, Any], path: Iterable[str]) -> Any:
    """The value of a path, or None."""
    value: Any = entity
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value
