"""UI cards: parts of a page that a plugin adds. A card that fails shows a box; it never breaks its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from flagstone.kernel.actor import Principal


@dataclass(frozen=True, slots=True)
class CardContext:
    """What a card may look at."""

    principal: Principal
    entity: Mapping[str, Any] | None = None
    """The entity whose page it is, as the API returns it; None on the home page."""
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A template (``<plugin or slice>/<file>.html``) and its variables."""

    template: str
    values: Mapping[str, Any]


class UICard(Protocol):
    """A card.

    ``slot`` is ``entity.main``, ``entity.side``, ``entity.actions``, ``home.main`` or ``home.side``; ``order`` sorts
    within it; with ``lazy`` True the page is sent first and the card fetched after.
    """

    id: str
    slot: str
    order: int
    lazy: bool

    def applies(self, ctx: CardContext) -> bool:
        """Whether to show it; quick, no I/O beyond the catalog."""

    def render(self, ctx: CardContext) -> Rendered | None:
        """Its content; None hides it."""
