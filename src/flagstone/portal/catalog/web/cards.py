"""Cards of plugins and slices on pages: collected once, shown where their slot is, each on its own.

A card that fails shows a box in its place; the page and its neighbours do not notice.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from fastapi import Request
from markupsafe import Markup

from flagstone.kernel.errors import Conflict, FlagstoneError, NotFound
from flagstone.sdk import CardContext, UICard
from flagstone.toolkit.telemetry import request_id
from flagstone.toolkit.web.pages import Pages

log = logging.getLogger("flagstone.cards")

SLOTS = ("entity.main", "entity.side", "entity.actions", "home.main", "home.side")


@dataclass(frozen=True, slots=True)
class ShownCard:
    """A card, rendered."""

    id: str
    html: Markup


class CardRegistry:
    """All cards of one process."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._cards: dict[str, tuple[UICard, str]] = {}

    def add(self, card: UICard, plugin: str) -> None:
        """Register a card. Raises Conflict (``catalog.card_twice``, ``catalog.unknown_slot``)."""
        if card.slot not in SLOTS:
            raise Conflict(
                "catalog.unknown_slot",
                f"The card {card.id} of {plugin} is for the slot {card.slot!r}, which does not exist.",
                hint=f"Slots: {', '.join(SLOTS)}.",
            )
        if card.id in self._cards:
            raise Conflict(
                "catalog.card_twice",
                f"The card {card.id} of {plugin} is there already, from {self._cards[card.id][1]}.",
            )
        self._cards[card.id] = (card, plugin)

    def show(self, slot: str, ctx: CardContext, request: Request) -> list[ShownCard]:
        """The cards of a slot that apply, in order. Lazy ones fetch themselves after the page."""
        chosen = sorted((card for card, _ in self._cards.values() if card.slot == slot), key=lambda c: (c.order, c.id))
        shown = (self._show(card, ctx, request, now=not card.lazy) for card in chosen)
        return [card for card in shown if card is not None]

    def show_one(self, card_id: str, ctx: CardContext, request: Request) -> Markup:
        """A single card, now: what a lazy one fetches. Nothing when it does not apply. Raises NotFound."""
        if card_id not in self._cards:
            raise NotFound("catalog.no_card", f"There is no card {card_id}.")
        shown = self._show(self._cards[card_id][0], ctx, request, now=True)
        return shown.html if shown else Markup()

    def _show(self, card: UICard, ctx: CardContext, request: Request, *, now: bool) -> ShownCard | None:
        try:
            if not card.applies(ctx):
                return None
            if not now:
                lazy = {"href": address(card.id, ctx)}
                return ShownCard(card.id, self._pages.part(request, "catalog/_card_lazy.html", lazy))
            rendered = card.render(ctx)
            if rendered is None:
                return None
            return ShownCard(card.id, self._pages.part(request, rendered.template, rendered.values))
        except Exception as error:
            log.exception("the card %s of %s failed", card.id, self._cards[card.id][1])
            values: dict[str, str | None] = {
                "card": card.id,
                "plugin": self._cards[card.id][1],
                "message": error.message if isinstance(error, FlagstoneError) else "",
                "hint": error.hint if isinstance(error, FlagstoneError) else None,
                "href": address(card.id, ctx),
                "request_id": request_id.get(),
            }
            return ShownCard(card.id, self._pages.part(request, "catalog/_card_error.html", values))


def address(card_id: str, ctx: CardContext) -> str:
    """Where a card can be fetched by itself."""
    if ctx.entity is None:
        return f"/catalog/_cards/{card_id}"
    metadata = ctx.entity["metadata"]
    path = f"{ctx.entity['kind']}/{metadata.get('namespace', 'default')}/{metadata['name']}".lower()
    return f"/catalog/_cards/{card_id}?entity={path}"
