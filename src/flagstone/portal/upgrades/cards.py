"""Cards: what made an entity and how far it is behind; what a golden path made."""

from __future__ import annotations

from flagstone.portal.upgrades.service import UpgradeService
from flagstone.sdk import CardContext, Rendered

_SHOWN = 200


def _ref(ctx: CardContext) -> str:
    entity = ctx.entity or {}
    metadata = entity["metadata"]
    return f"{entity['kind']}:{metadata.get('namespace') or 'default'}/{metadata['name']}".lower()


class MadeFromCard:
    """On what a golden path made."""

    id, slot, order, lazy = "made-from", "entity.side", 35, True

    def __init__(self, service: UpgradeService) -> None:
        self._service = service

    def applies(self, ctx: CardContext) -> bool:
        """For every entity but templates."""
        return ctx.entity is not None and str(ctx.entity.get("kind", "")).lower() != "template"

    def render(self, ctx: CardContext) -> Rendered | None:
        """Hidden for what no golden path of here made."""
        standing = self._service.find(_ref(ctx))
        if standing is None:
            return None
        may = self._service.may_open(ctx.principal, standing)
        return Rendered("upgrades/card_made_from.html", {"standing": standing, "may_open": may})


class MadeCard:
    """On the page of a template: what it made."""

    id, slot, order, lazy = "made", "entity.side", 35, True

    def __init__(self, service: UpgradeService) -> None:
        self._service = service

    def applies(self, ctx: CardContext) -> bool:
        """For templates."""
        return ctx.entity is not None and str(ctx.entity.get("kind", "")).lower() == "template"

    def render(self, ctx: CardContext) -> Rendered | None:
        """Hidden as long as it made nothing."""
        ref = _ref(ctx)
        total = self._service.templates().get(ref, 0)
        if not total:
            return None
        behind = self._service.page(template_ref=ref, behind=True, limit=_SHOWN)
        values = {"ref": ref, "total": total, "behind": behind.items, "more": behind.next_cursor is not None}
        return Rendered("upgrades/card_made.html", values)
