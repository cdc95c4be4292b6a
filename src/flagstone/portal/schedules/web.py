"""``/schedules``: the list, a new one, and one with its runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from flagstone.contracts.gateway import GatewayInfo
from flagstone.contracts.runs import RunSummary
from flagstone.contracts.triggers import MissedRuns, TriggerView
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError
from flagstone.portal.golden_paths import GoldenPath
from flagstone.portal.schedules.permissions import READ, WRITE
from flagstone.portal.schedules.service import ScheduleService, When
from flagstone.toolkit.web.pages import Pages

COMMON = (
    ("0 6 * * 1-5", "Weekdays at 6:00"),
    ("0 2 * * *", "Every night at 2:00"),
    ("0 * * * *", "Every hour"),
    ("0 7 * * 1", "Mondays at 7:00"),
    ("0 5 1 * *", "The first of the month at 5:00"),
)


@dataclass(frozen=True, slots=True)
class ListPage:
    """Schedules and event triggers."""

    items: tuple[TriggerView, ...]
    platform: GatewayInfo
    more_href: str | None


@dataclass(frozen=True, slots=True)
class OnePage:
    """One with its runs."""

    item: TriggerView
    runs: tuple[RunSummary, ...]
    last_number: int | None


@dataclass(frozen=True, slots=True)
class NewPage:
    """A new one."""

    path: GoldenPath
    draft: str
    when: When
    common: tuple[tuple[str, str], ...]
    problems: tuple[tuple[str, str, str], ...] = ()
    errors: dict[str, str] | None = None
    error: FlagstoneError | None = None


def router(service: ScheduleService, pages: Pages) -> APIRouter:
    """Pages below ``/schedules``."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/schedules", response_class=HTMLResponse)
    def show_list(
        request: Request, principal: Annotated[Principal, permit(READ)], cursor: str | None = None
    ) -> Response:
        """What starts by itself."""
        page = service.list(principal, cursor=cursor)
        more = request.url.include_query_params(cursor=page.next_cursor) if page.next_cursor else None
        shown = ListPage(tuple(page.items), service.platform(), f"{more.path}?{more.query}" if more else None)
        return pages.render(request, "schedules/list.html", shown)

    @routes.get("/schedules/new", response_class=HTMLResponse)
    def show_new(
        request: Request, _principal: Annotated[Principal, permit(WRITE)], template: str, draft: str
    ) -> Response:
        """The form: when a golden path that is filled in already runs."""
        namespace, _, name = template.partition("/")
        path = service.path(namespace, name)
        page = NewPage(path, draft, When(title=path.title, cron=COMMON[0][0]), COMMON)
        return pages.render(request, "schedules/new.html", page)

    @routes.post("/schedules/new", response_class=HTMLResponse)
    def create(
        request: Request,
        principal: Annotated[Principal, permit(WRITE)],
        template: Annotated[str, Form(max_length=300)],
        draft: Annotated[str, Form(max_length=100)],
        title: Annotated[str, Form(max_length=200)] = "",
        cron: Annotated[str, Form(max_length=200)] = "",
        timezone: Annotated[str, Form(max_length=100)] = "UTC",
        spread: Annotated[int, Form(ge=0, le=1440)] = 0,
        missed: Annotated[MissedRuns, Form()] = "once",
    ) -> Response:
        """Make it and go to its page."""
        namespace, _, name = template.partition("/")
        path = service.path(namespace, name)
        when = When(title=title.strip(), cron=cron, timezone=timezone, jitter_seconds=spread * 60, missed=missed)
        try:
            made = service.of_draft(principal, path, draft, when)
        except FlagstoneError as error:
            return pages.render(request, "schedules/new.html", _wrong(path, draft, when, error), status=error.status)
        return RedirectResponse(f"/schedules/{made.id}", 303)

    @routes.get("/schedules/{ident}", response_class=HTMLResponse)
    def show(request: Request, ident: str, principal: Annotated[Principal, permit(READ)]) -> Response:
        """One with its due times and its runs."""
        item = service.get(principal, ident)
        runs = service.runs(principal, ident)
        last = next((run.number for run in runs if run.id == item.last_run), None)
        return pages.render(request, "schedules/schedule.html", OnePage(item, runs, last))

    @routes.post("/schedules/{ident}/{verb}")
    def act(ident: str, verb: str, principal: Annotated[Principal, permit(WRITE)]) -> Response:
        """Pause, resume, run or delete it."""
        if verb == "run":
            return RedirectResponse(f"/runs/{service.run(principal, ident).number}", 303)
        if verb == "delete":
            service.delete(principal, ident)
            return RedirectResponse("/schedules", 303)
        service.pause(principal, ident, paused=verb == "pause")
        return RedirectResponse(f"/schedules/{ident}", 303)

    return routes


def _wrong(path: GoldenPath, draft: str, when: When, error: FlagstoneError) -> NewPage:
    fields = {"cron": "When", "timezone": "Time zone", "title": "Title"}
    told = {problem.field: str(problem.message) for problem in error.problems if problem.field in fields}
    listed = tuple((f"f-{name}", fields[name], text) for name, text in told.items() if name)
    return NewPage(
        path,
        draft,
        when,
        COMMON,
        problems=listed,
        errors={name: text for name, text in told.items() if name},
        error=None if listed else error,
    )
