"""Cards that golden paths bring to the pages of entities."""

from __future__ import annotations

from flagstone.portal.golden_paths.service import Attachments, GoldenPathService
from flagstone.sdk import CardContext, Rendered


class DayTwoCard:
    """Golden paths that are attached to the entity, as buttons."""

    id, slot, order, lazy = "day-two", "entity.actions", 20, False

    def __init__(self, paths: GoldenPathService, attachments: Attachments) -> None:
        self._paths = paths
        self._attachments = attachments

    def applies(self, ctx: CardContext) -> bool:
        """For those who may start golden paths."""
        return ctx.entity is not None and self._paths.may_run(ctx.principal)

    def render(self, ctx: CardContext) -> Rendered | None:
        """Hidden when nothing is attached."""
        entity = ctx.entity or {}
        metadata = entity["metadata"]
        ref = f"{entity['kind']}:{metadata.get('namespace') or 'default'}/{metadata['name']}".lower()
        found = [path for path in self._attachments.of(ref) if not path.deprecated]
        return Rendered("golden_paths/card_day_two.html", {"paths": tuple(found), "ref": ref}) if found else None
