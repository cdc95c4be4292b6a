"""What people read of a definition that is no OpenAPI: things with a name, and the fields of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flagstone.portal.catalog.model.schemas import Field

MAX_ITEMS = 500
MAX_TOKENS = 200_000
"""Of a text that is read word by word."""


@dataclass(frozen=True, slots=True)
class Section:
    """Some fields of an item, such as what a method takes."""

    title: str
    note: str
    fields: Sequence[Field]


@dataclass(frozen=True, slots=True)
class Item:
    """A channel, a field of a root type, a method, a type. ``badge`` says which."""

    name: str
    badge: str
    summary: str = ""
    description: str = ""
    deprecated: bool = False
    sections: Sequence[Section] = ()


@dataclass(frozen=True, slots=True)
class Outline:
    """A definition. ``count`` is how many ``noun`` it has; ``hidden`` items were left out: there are too many."""

    title: str
    version: str
    description: str
    servers: Sequence[str]
    noun: str
    count: int
    groups: Sequence[tuple[str, Sequence[tuple[str, Item]]]]
    """Heading, and (anchor, item); anchors are unique on the page."""
    hidden: int = 0


def outline_of(
    groups: Mapping[str, Iterable[Item]],
    *,
    noun: tuple[str, str],
    count: int,
    title: str = "",
    version: str = "",
    description: str = "",
    servers: Sequence[str] = (),
) -> Outline:
    """Put an outline together: anchors are given, and what is too much is left out. ``noun``: one, and many."""
    shown: list[tuple[str, list[tuple[str, Item]]]] = []
    used: set[str] = set()
    total = room = 0
    for heading, items in groups.items():
        kept = []
        for item in items:
            total += 1
            if room >= MAX_ITEMS:
                continue
            room += 1
            plain = "op-" + "".join(char if char.isalnum() else "-" for char in f"{item.badge}-{item.name}"[:80])
            anchor = plain if plain not in used else f"{plain}-{room}"
            used.add(anchor)
            kept.append((anchor, item))
        if kept:
            shown.append((heading, kept))
    word = noun[0] if count == 1 else noun[1]
    return Outline(title, version, description, servers, word, count, shown, total - room)
