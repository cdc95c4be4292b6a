"""The list of what starts by itself, one of them with its runs, and the buttons on its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from flagstone.contracts.gateway import GatewayInfo
from flagstone.contracts.runs import RunSummary
from flagstone.contracts.triggers import TriggerKind, TriggerView
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.portal.schedules.permissions import READ, WRITE
from flagstone.portal.schedules.service import ScheduleService, Version, VersionService
from flagstone.toolkit.web.pages import Pages

TABS = (
    ("", "All", "/schedules"),
    ("schedule", "By the clock", "/schedules?kind=schedule"),
    ("event", "On events", "/schedules?kind=event"),
)


@dataclass(frozen=True, slots=True)
class ListPage:
    """Schedules and event triggers."""

    items: tuple[TriggerView, ...]
    platform: GatewayInfo
    more_href: str | None
    kind: str = ""
    tabs: tuple[tuple[str, str, str], ...] = TABS


@dataclass(frozen=True, slots=True)
class OnePage:
    """One with its runs. ``by_id`` are the runs that it started last."""

    item: TriggerView
    version: Version
    runs: tuple[RunSummary, ...]
    by_id: dict[str, RunSummary]


def listing_routes(routes: APIRouter, service: ScheduleService, versions: VersionService, pages: Pages) -> None:
    """Add them."""

    @routes.get("/schedules", response_class=HTMLResponse)
    def show_list(
        request: Request,
        principal: Annotated[Principal, permit(READ)],
        kind: Literal["", "schedule", "event"] = "",
        cursor: str | None = None,
    ) -> Response:
        """What starts by itself."""
        wanted: TriggerKind | None = kind or None
        page = service.list(principal, kind=wanted, cursor=cursor)
        more = request.url.include_query_params(cursor=page.next_cursor) if page.next_cursor else None
        href = f"{more.path}?{more.query}" if more else None
        shown = ListPage(tuple(page.items), service.platform(), href, kind)
        return pages.render(request, "schedules/list.html", shown)

    @routes.get("/schedules/{ident}", response_class=HTMLResponse)
    def show(request: Request, ident: str, principal: Annotated[Principal, permit(READ)]) -> Response:
        """One with its due times or conditions, what started it last, and its runs."""
        version = versions.of(principal, ident)
        runs = service.runs(principal, ident)
        page = OnePage(version.item, version, runs, {run.id: run for run in runs})
        return pages.render(request, "schedules/schedule.html", page)

    @routes.post("/schedules/{ident}/{verb}")
    def act(
        ident: str,
        verb: Literal["run", "pause", "resume", "delete"],
        principal: Annotated[Principal, permit(WRITE)],
    ) -> Response:
        """Pause, resume, run or delete it."""
        if verb == "run":
            return RedirectResponse(f"/runs/{service.run(principal, ident).number}", 303)
        if verb == "delete":
            service.delete(principal, ident)
            return RedirectResponse("/schedules", 303)
        service.pause(principal, ident, paused=verb == "pause")
        return RedirectResponse(f"/schedules/{ident}", 303)
