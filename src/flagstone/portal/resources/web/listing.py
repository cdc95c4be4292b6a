"""The list of resources, and the page of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from flagstone.contracts.gateway import GatewayInfo
from flagstone.contracts.resources import ResourceQuery, ResourceState
from flagstone.contracts.runs import RunSummary
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError
from flagstone.portal.resources.model import (
    REQUEST,
    Offer,
    Output,
    ResourceLine,
    as_text,
    outputs_of,
    resource_line,
    score_lines,
    wanted_again,
)
from flagstone.portal.resources.permissions import READ
from flagstone.portal.resources.service import May
from flagstone.portal.resources.web.parts import Parts

Group = Literal["", "ready", "failed", "busy", "removed"]
_GROUPS: dict[str, tuple[ResourceState, ...]] = {
    "ready": ("ready",),
    "failed": ("failed",),
    "busy": ("requested", "provisioning", "removing"),
    "removed": ("removed",),
}
_RUN_DOTS = {
    "succeeded": "healthy",
    "failed": "down",
    "running": "progress",
    "queued": "progress",
    "waiting": "progress",
}
_LIMIT = 50


@dataclass(frozen=True, slots=True)
class ListPage:
    """Resources, by component and environment."""

    platform: GatewayInfo
    offer: Offer = field(default_factory=Offer)
    lines: tuple[ResourceLine, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    """Names of components and owners by ref."""
    type: str = ""
    environment: str = ""
    state: Group = ""
    mine: bool = False
    entity: str = ""
    filtered: bool = False
    here: str = "/resources"
    more_href: str | None = None
    error: FlagstoneError | None = None


@dataclass(frozen=True, slots=True)
class ResourcePage:
    """One resource."""

    line: ResourceLine
    outputs: tuple[Output, ...]
    params: tuple[tuple[str, str], ...]
    declared: str
    """What declares it in a Score file."""
    runs: tuple[RunSummary, ...]
    may: May
    labels: Mapping[str, str]
    again_href: str
    adopt_href: str
    change_href: str
    live_href: str = ""
    run_dots: Mapping[str, str] = field(default_factory=lambda: _RUN_DOTS)


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters of the list."""

    type: str = ""
    environment: str = ""
    state: Group = ""
    mine: bool = False
    entity: str = ""

    def query(self, principal: Principal, cursor: str | None) -> ResourceQuery:
        """For the platform."""
        return ResourceQuery(
            entity_ref=self.entity or None,
            environment=self.environment or None,
            type=self.type or None,
            state=_GROUPS.get(self.state, ()),
            owners=tuple(sorted(principal.owner_refs)) if self.mine else (),
            cursor=cursor,
            limit=_LIMIT,
        )

    def href(self, cursor: str | None = None) -> str:
        """The address of the list, or of its next part."""
        given = {
            "type": self.type,
            "environment": self.environment,
            "state": self.state,
            "mine": "1" if self.mine else "",
            "entity": self.entity,
            "cursor": cursor or "",
        }
        asked = urlencode({name: value for name, value in given.items() if value})
        return f"/resources?{asked}" if asked else "/resources"


def listing_routes(routes: APIRouter, parts: Parts) -> None:
    """Add them."""

    @routes.get("/resources", response_class=HTMLResponse)
    def show_list(
        request: Request,
        principal: Annotated[Principal, permit(READ)],
        type: Annotated[str, Query(max_length=100)] = "",  # noqa: A002  the name in the address
        environment: Annotated[str, Query(max_length=100)] = "",
        state: Group = "",
        mine: str = "",
        entity: Annotated[str, Query(max_length=300)] = "",
        cursor: str | None = None,
    ) -> Response:
        """What the platform provides, 50 at a time."""
        asked = Asked(type, environment, state, bool(mine), entity.strip().lower())
        page = _list_page(parts, principal, asked, cursor)
        fragment = "resources/_rows.html" if cursor else "resources/_list.html"
        return parts.pages.render(request, "resources/list.html", page, fragment=fragment)

    @routes.get("/resources/{resource_id}", response_class=HTMLResponse)
    def show(request: Request, resource_id: str, principal: Annotated[Principal, permit(READ)]) -> Response:
        """One resource, also a removed one."""
        page = _resource_page(parts, principal, resource_id)
        return parts.pages.render(request, "resources/resource.html", page, fragment="resources/_resource.html")


def _list_page(parts: Parts, principal: Principal, asked: Asked, cursor: str | None) -> ListPage:
    platform = parts.service.platform()
    shown = ListPage(
        platform=platform,
        type=asked.type,
        environment=asked.environment,
        state=asked.state,
        mine=asked.mine,
        entity=asked.entity,
        filtered=asked != Asked(),
        here=asked.href(),
    )
    if not platform.connected:
        return shown
    try:
        offer = parts.service.offer(principal)
        found = parts.service.list(principal, asked.query(principal, cursor))
    except FlagstoneError as error:
        return replace(shown, error=error)
    lines = tuple(resource_line(view, offer.titles) for view in found.items)
    refs = {ref for view in found.items for ref in (view.entity_ref, view.owner) if ref}
    return replace(
        shown,
        offer=offer,
        lines=lines,
        labels=parts.catalog.titles(refs | ({asked.entity} if asked.entity else set())),
        more_href=asked.href(found.next_cursor) if found.next_cursor else None,
    )


def _resource_page(parts: Parts, principal: Principal, resource_id: str) -> ResourcePage:
    service = parts.service
    view = service.get(principal, resource_id)
    types = service.types(principal)
    line = resource_line(view, {one.name: one.title for one in types})
    type_ = next((one for one in types if one.name == view.type), None)
    again = wanted_again(view)
    return ResourcePage(
        line=line,
        outputs=outputs_of(view, type_),
        params=tuple((name, as_text(value)) for name, value in view.params.items()),
        declared=score_lines(view),
        runs=service.runs(principal, view),
        may=service.may(principal, view.owner),
        labels=parts.catalog.titles({ref for ref in (view.entity_ref, view.owner) if ref}),
        again_href=f"{REQUEST}/review?{again.query}",
        adopt_href=f"{REQUEST}/review?{wanted_again(view, adopt=True).query}",
        change_href=f"{REQUEST}?{again.query}" if view.params else "",
        live_href=f"/resources/{view.id}" if line.busy else "",
    )
