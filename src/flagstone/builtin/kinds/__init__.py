"""Backstage's own entity kinds as data: schemas, relations, icons. Rules of the envelope belong to the catalog."""

from flagstone.builtin.kinds.backstage import BACKSTAGE_KINDS
from flagstone.builtin.kinds.plugin import flagstone_register_entity_kinds

__all__ = ["BACKSTAGE_KINDS", "flagstone_register_entity_kinds"]
