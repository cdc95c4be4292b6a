"""Entity kinds as data: a schema, the relations that its fields declare, and the cards its page shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RelationField:
    """A field whose refs become relations, in both directions.

    ``path`` is dotted (``spec.providesApis``); a list gives one relation an element. ``default_kind`` None means
    that the ref must state its kind.
    """

    path: str
    forward: str
    reverse: str
    default_kind: str | None
    many: bool = False


@dataclass(frozen=True, slots=True)
class EntityKind:
    """One kind. ``schema`` is the JSON Schema (draft-07) of a whole entity of this kind."""

    name: str
    api_versions: tuple[str, ...]
    schema: Mapping[str, Any]
    relations: tuple[RelationField, ...] = ()
    icon: str = "box"
    plural: str = ""
    description: str = ""
