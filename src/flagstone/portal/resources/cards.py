"""The card of a component: what the platform provides for it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from flagstone.contracts.resources import ResourceQuery
from flagstone.portal.resources.model import REQUEST, Wanted, resource_line
from flagstone.portal.resources.service import ResourceRequests
from flagstone.sdk import CardContext, Rendered

_ALL = 100


class ResourcesCard:
    """What a component was given, by environment, and the way to ask for more."""

    id, slot, order, lazy = "resources", "entity.main", 25, True

    def __init__(self, service: ResourceRequests) -> None:
        self._service = service

    def applies(self, ctx: CardContext) -> bool:
        """For components, when there is a platform."""
        is_component = ctx.entity is not None and str(ctx.entity.get("kind", "")).lower() == "component"
        return is_component and self._service.platform().connected

    def render(self, ctx: CardContext) -> Rendered | None:
        """Hidden where there is nothing and nothing may be asked for."""
        assert ctx.entity is not None
        metadata = ctx.entity["metadata"]
        ref = f"component:{metadata.get('namespace') or 'default'}/{metadata['name']}".lower()
        views = self._service.list(ctx.principal, ResourceQuery(entity_ref=ref, limit=_ALL)).items
        types = self._service.types(ctx.principal)
        may = self._service.may_for(ctx.principal, Wanted(entity_ref=ref))
        if not views and not (types and may.allowed):
            return None
        titles = {one.name: one.title for one in types}
        lines = [resource_line(view, titles) for view in views]
        groups = [(name, list(found)) for name, found in groupby(lines, key=lambda line: line.view.environment)]
        values = {
            "groups": groups,
            "request_href": f"{REQUEST}?{urlencode({'entity': ref})}" if types and may.allowed else "",
            "in_catalog": _depends_on_resources(ctx.entity),
        }
        return Rendered("resources/card_resources.html", values)


def _depends_on_resources(entity: Mapping[str, Any]) -> bool:
    """Whether the catalog names resources, too, which are something else."""
    found = (entity.get("spec") or {}).get("dependsOn") or ()
    return any(str(ref).lower().startswith("resource:") for ref in found)
