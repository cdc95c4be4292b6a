"""Cards that a declared kind asks for: values of fields, and related entities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flagstone.portal.catalog.model.declared import DeclaredCard, DeclaredKind
from flagstone.portal.catalog.model.formats import is_safe_link
from flagstone.portal.catalog.model.kinds import value_at
from flagstone.portal.catalog.service.catalog import CatalogService
from flagstone.portal.catalog.web.own_cards import RelatedCard
from flagstone.sdk import CardContext, Rendered, UICard

_FIRST = 25


class FieldsCard:
    """Values of some fields of the entity."""

    lazy = False

    def __init__(self, kind: str, number: int, card: DeclaredCard) -> None:
        self.id = f"catalog.{kind}.{number}"
        self.slot = "entity.side" if card.side else "entity.main"
        self.order = _FIRST + number
        self._kind = kind
        self._card = card

    def applies(self, ctx: CardContext) -> bool:
        """On pages of its kind, when a field has a value."""
        entity = ctx.entity
        if entity is None or str(entity["kind"]).lower() != self._kind:
            return False
        return any(value_at(entity, field.split(".")) is not None for field in self._card.fields)

    def render(self, ctx: CardContext) -> Rendered:
        """The fields that have a value, in the declared order."""
        entity = ctx.entity or {}
        values = [(field, value_at(entity, field.split("."))) for field in self._card.fields]
        shown = [(_words(field), _text(value), _href(value)) for field, value in values if value is not None]
        return Rendered(
            "catalog/_card_fields.html", {"title": self._card.title, "icon": self._card.icon, "fields": shown}
        )


def declared_cards(catalog: CatalogService, kinds: Sequence[DeclaredKind]) -> list[UICard]:
    """The cards of all declared kinds."""
    found: list[UICard] = []
    for declared in kinds:
        kind = declared.kind.name.lower()
        for number, card in enumerate(declared.cards):
            if card.fields:
                found.append(FieldsCard(kind, number, card))
                continue
            slot = "entity.side" if card.side else "entity.main"
            name, order = f"{kind}.{number}", _FIRST + number
            found.append(RelatedCard(catalog, name, card.title, card.icon, slot, order, (kind,), card.relations))
    return found


def _words(field: str) -> str:
    """``spec.retentionDays`` -> ``Retention days``."""
    name = field.rpartition(".")[2]
    words = "".join(f" {char.lower()}" if char.isupper() else char for char in name).strip()
    return words[:1].upper() + words[1:]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_text(item)}" for key, item in value.items())
    return str(value)


def _href(value: Any) -> str | None:
    return value if isinstance(value, str) and "://" in value and is_safe_link(value) else None
