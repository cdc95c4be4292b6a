"""The plugin: registers the kinds."""

from __future__ import annotations

from collections.abc import Iterable

from flagstone.builtin.kinds.backstage import BACKSTAGE_KINDS
from flagstone.sdk import EntityKind, hookimpl


@hookimpl
def flagstone_register_entity_kinds() -> Iterable[EntityKind]:
    """Component, API, Resource, System, Domain, Group, User, Location and Template."""
    return BACKSTAGE_KINDS
