"""What several pages show in the same way: links to entities, tones, addresses."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from flagstone.portal.catalog.model import EntityRow
from flagstone.portal.catalog.model.kinds import KindRegistry
from flagstone.portal.catalog.service.catalog import CatalogService
from flagstone.toolkit.web.icons import FALLBACK, icon_name

LIFECYCLE_TONES = {"deprecated": "warn", "experimental": "info"}


@dataclass(frozen=True, slots=True)
class EntityLink:
    """An entity as a link. ``exists`` False: the reference leads nowhere."""

    ref: str
    label: str
    href: str
    icon: str
    kind: str
    note: str
    exists: bool = True


def href_of(ref: str) -> str:
    """The address of an entity's page."""
    return "/catalog/" + ref.replace(":", "/", 1)


def icon_of(kind: str, type_: str | None, kinds: KindRegistry) -> str:
    """The icon of an entity: by its type, else by its kind; a declared kind brings its own."""
    found = icon_name(kind, type_)
    return kinds.icon(kind) if found == FALLBACK else found


def link_of(ref: str, row: EntityRow | None, kinds: KindRegistry) -> EntityLink:
    """A link to an entity, by what is known of it."""
    kind, _, rest = ref.partition(":")
    name = rest.partition("/")[2]
    label = row.title if row is not None else name
    note = (row.type if row is not None and row.type else kinds.label(kind)) or ""
    icon = icon_of(kind, row.type if row is not None else None, kinds)
    return EntityLink(ref, label, href_of(ref), icon, kinds.label(kind), note, row is not None)


def links_of(refs: Collection[str], catalog: CatalogService) -> Mapping[str, EntityLink]:
    """Links to entities, with one query."""
    wanted = {ref for ref in refs if ref}
    rows = catalog.rows(wanted) if wanted else {}
    return {ref: link_of(ref, rows.get(ref), catalog.kinds) for ref in wanted}


def tone_of(lifecycle: str) -> str:
    """The tone of a lifecycle's badge."""
    return LIFECYCLE_TONES.get(lifecycle.lower(), "neutral")
