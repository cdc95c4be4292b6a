"""New ones: a schedule of a golden path that is filled in, and an event trigger with answers out of the event."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from flagstone.contracts.triggers import MissedRuns
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError, Problem
from flagstone.portal.golden_paths import GoldenPath
from flagstone.portal.schedules.model import condition_rows, read_answers, read_conditions
from flagstone.portal.schedules.permissions import WRITE
from flagstone.portal.schedules.service import ScheduleService, When
from flagstone.portal.schedules.web.parts import (
    COMMON,
    FormPage,
    Wrong,
    as_written,
    read_pairs,
    texts_of,
    told,
    unreadable,
)
from flagstone.toolkit.web.forms import Pairs
from flagstone.toolkit.web.pages import Pages

_ROWS = 4


def event_when(pairs: Pairs) -> When:
    """When an event trigger starts something, as posted."""
    return When(
        title=(pairs.last("title") or "").strip()[:200],
        event_type=(pairs.last("event_type") or "").strip()[:200],
        conditions=read_conditions(pairs.all("place"), pairs.all("wanted")),
    )


def _path(service: ScheduleService, template: str) -> GoldenPath:
    namespace, _, name = template.partition("/")
    return service.path(namespace, name)


def making_routes(routes: APIRouter, service: ScheduleService, pages: Pages) -> None:
    """Add them."""

    @routes.get("/schedules/new", response_class=HTMLResponse)
    def show_new(
        request: Request, _principal: Annotated[Principal, permit(WRITE)], template: str, draft: str
    ) -> Response:
        """The form: when a golden path that is filled in already runs."""
        path = _path(service, template)
        page = FormPage(When(title=path.title, cron=COMMON[0][0]), Wrong(), path, draft=draft)
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
        path = _path(service, template)
        when = When(title=title.strip(), cron=cron, timezone=timezone, jitter_seconds=spread * 60, missed=missed)
        try:
            made = service.of_draft(principal, path, draft, when)
        except FlagstoneError as error:
            page = FormPage(when, told(error), path, draft=draft)
            return pages.render(request, "schedules/new.html", page, status=error.status)
        return RedirectResponse(f"/schedules/{made.id}", 303)

    @routes.get("/schedules/events/new", response_class=HTMLResponse)
    def show_event(
        request: Request,
        principal: Annotated[Principal, permit(WRITE)],
        template: str = "",
        draft: str | None = None,
    ) -> Response:
        """The form: first what is run, then for which events and with which answers."""
        if not template:
            page = FormPage(When(), Wrong(), paths=service.paths())
            return pages.render(request, "schedules/event_path.html", page)
        path = _path(service, template)
        values = service.draft_values(principal, path, draft)
        when = When(title=path.title, event_type="repository.pushed")
        page = FormPage(when, Wrong(), path, as_written(path, values, None), condition_rows({}, _ROWS))
        return pages.render(request, "schedules/event.html", page)

    @routes.post("/schedules/events/new", response_class=HTMLResponse)
    def create_event(
        request: Request,
        pairs: Annotated[Pairs, Depends(read_pairs)],
        principal: Annotated[Principal, permit(WRITE)],
    ) -> Response:
        """Make it and go to its page."""
        path = _path(service, pairs.last("template") or "")
        when, texts = event_when(pairs), texts_of(pairs, path)
        values: dict[str, Any] = {}
        try:
            values, problems = read_answers(path, texts)
            if not when.event_type:
                # Without a type it would be a schedule.
                problems.append(Problem("choose what it waits for", field="event_type"))
            if problems:
                raise unreadable(problems)
            made = service.create(principal, path, values, when)
        except FlagstoneError as error:
            answers = as_written(path, values, texts)
            page = FormPage(when, told(error, answers), path, answers, condition_rows(when.conditions, _ROWS))
            return pages.render(request, "schedules/event.html", page, status=error.status)
        return RedirectResponse(f"/schedules/{made.id}", 303)
