"""The card of the home page: what waits for one's approval."""

from __future__ import annotations

from flagstone.kernel.errors import FlagstoneError
from flagstone.portal.approval_inbox.service import Inbox
from flagstone.sdk import CardContext, Rendered


class WaitingCard:
    """What waits for the reader; no card when nothing does."""

    id, slot, order, lazy = "approval-inbox", "home.main", 4, False

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def applies(self, ctx: CardContext) -> bool:
        """On the home page, when something waits."""
        return ctx.entity is None and bool(self._inbox.count(ctx.principal))

    def render(self, ctx: CardContext) -> Rendered | None:
        """The newest few."""
        try:
            found = self._inbox.list(ctx.principal, "mine", limit=5)
        except FlagstoneError:
            return None
        return Rendered("approval_inbox/card.html", {"items": found.items}) if found.items else None
