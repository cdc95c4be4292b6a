"""Collaborators by type: explicit, typed, filled once. No magic by parameter name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Container:
    """See ``flagstone.sdk.Deps``."""

    def __init__(self, settings: Callable[[str, type[Any]], Any]) -> None:
        self._settings = settings
        self._items: dict[type[Any], Any] = {}

    def get(self, kind: type[T]) -> T:
        """The one instance of a type. Raises KeyError naming the type when nothing has provided it yet."""
        try:
            return cast("T", self._items[kind])
        except KeyError:
            raise KeyError(
                f"Nothing provides {kind.__module__}.{kind.__qualname__} yet: "
                "the slice that does must come earlier in app.py, or is not part of this room."
            ) from None

    def find(self, kind: type[T]) -> T | None:
        """The same, or None."""
        return cast("T | None", self._items.get(kind))

    def provide(self, instance: Any, *, as_: type[Any] | None = None) -> None:
        """Offer an instance to those that come later."""
        kind = as_ or type(instance)
        if kind in self._items:
            raise ValueError(f"{kind.__qualname__} is provided twice.")
        self._items[kind] = instance

    def settings(self, section: str, model: type[T]) -> T:
        """The validated settings of a section."""
        return cast("T", self._settings(section, model))
