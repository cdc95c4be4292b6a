"""Changing one: when it starts, and which version of its golden path it runs with which answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from flagstone.contracts.plans import Plan
from flagstone.contracts.triggers import MissedRuns, TriggerView
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError, NotFound
from flagstone.portal.golden_paths import PlanFacts, read_plan
from flagstone.portal.schedules.model import Answer, condition_rows, read_answers
from flagstone.portal.schedules.permissions import WRITE
from flagstone.portal.schedules.service import ScheduleService, Version, VersionService, When
from flagstone.portal.schedules.web.making import event_when
from flagstone.portal.schedules.web.parts import FormPage, Wrong, as_written, read_pairs, texts_of, told, unreadable
from flagstone.toolkit.web.forms import Pairs
from flagstone.toolkit.web.pages import Pages

_MISSED: dict[str, MissedRuns] = {"skip": "skip", "once": "once", "all": "all"}


@dataclass(frozen=True, slots=True)
class VersionPage:
    """The golden path as it is now, the answers, and what a run would do."""

    version: Version
    answers: tuple[Answer, ...]
    wrong: Wrong = Wrong()  # noqa: RUF009  frozen
    plan: Plan | None = None
    facts: PlanFacts | None = None
    checked: bool = False
    """Whether the answers were found to fit."""


def _when_of(item: TriggerView) -> When:
    return When(
        title=item.title,
        cron=item.cron,
        timezone=item.timezone,
        jitter_seconds=item.jitter_seconds,
        missed=item.missed,
        event_type=item.event_type,
        conditions=dict(item.conditions),
    )


def _posted(item: TriggerView, pairs: Pairs) -> When:
    if item.kind == "event":
        return event_when(pairs)
    spread, missed = pairs.last("spread") or "0", pairs.last("missed") or "once"
    return When(
        title=(pairs.last("title") or "").strip()[:200],
        cron=(pairs.last("cron") or "")[:200],
        timezone=(pairs.last("timezone") or "")[:100],
        jitter_seconds=min(int(spread), 1440) * 60 if spread.isascii() and spread.isdigit() else 0,
        missed=_MISSED.get(missed, "once"),
    )


def changing_routes(routes: APIRouter, service: ScheduleService, versions: VersionService, pages: Pages) -> None:
    """Add them."""

    def form(request: Request, item: TriggerView, when: When, error: FlagstoneError | None = None) -> Response:
        page = FormPage(when, told(error), conditions=condition_rows(when.conditions), item=item)
        name = "schedules/event.html" if item.kind == "event" else "schedules/new.html"
        return pages.render(request, name, page, status=error.status if error else 200)

    @routes.get("/schedules/{ident}/edit", response_class=HTMLResponse)
    def show_edit(request: Request, ident: str, principal: Annotated[Principal, permit(WRITE)]) -> Response:
        """When it starts, to be changed."""
        item = service.get(principal, ident)
        return form(request, item, _when_of(item))

    @routes.post("/schedules/{ident}/edit", response_class=HTMLResponse)
    def edit(
        request: Request,
        ident: str,
        pairs: Annotated[Pairs, Depends(read_pairs)],
        principal: Annotated[Principal, permit(WRITE)],
    ) -> Response:
        """Change it and go back to its page."""
        item = service.get(principal, ident)
        when = _posted(item, pairs)
        try:
            service.change(principal, ident, when)
        except FlagstoneError as error:
            return form(request, item, when, error)
        return RedirectResponse(f"/schedules/{ident}", 303)

    @routes.get("/schedules/{ident}/version", response_class=HTMLResponse)
    def show_version(request: Request, ident: str, principal: Annotated[Principal, permit(WRITE)]) -> Response:
        """Its answers beside the golden path as it is now."""
        version = _there(versions.of(principal, ident))
        return pages.render(request, "schedules/version.html", _version_page(versions, principal, version))

    @routes.post("/schedules/{ident}/version", response_class=HTMLResponse)
    def use_version(
        request: Request,
        ident: str,
        pairs: Annotated[Pairs, Depends(read_pairs)],
        principal: Annotated[Principal, permit(WRITE)],
    ) -> Response:
        """Show the plan again, or use it."""
        version = _there(versions.of(principal, ident))
        assert version.path is not None
        texts = texts_of(pairs, version.path)
        if pairs.last("_action") == "use":
            try:
                versions.use(principal, ident, _read(version, texts))
            except FlagstoneError as error:
                page = VersionPage(version, *_faulty(version, texts, error))
                return pages.render(request, "schedules/version.html", page, status=error.status)
            return RedirectResponse(f"/schedules/{ident}", 303)
        shown = _version_page(versions, principal, version, texts)
        return pages.render(request, "schedules/version.html", shown)


def _there(version: Version) -> Version:
    if version.path is None:
        raise NotFound("schedules.no_template", f"What {version.item.title} runs is in the catalog no more.")
    return version


def _read(version: Version, texts: Mapping[str, str]) -> dict[str, Any]:
    assert version.path is not None
    values, problems = read_answers(version.path, texts)
    if problems:
        raise unreadable(problems)
    return values


def _faulty(version: Version, texts: Mapping[str, str], error: FlagstoneError) -> tuple[tuple[Answer, ...], Wrong]:
    assert version.path is not None
    answers = as_written(version.path, texts, texts)
    return answers, told(error, answers)


def _version_page(
    versions: VersionService, principal: Principal, version: Version, texts: Mapping[str, str] | None = None
) -> VersionPage:
    assert version.path is not None
    answers = as_written(version.path, version.item.inputs if texts is None else texts, texts)
    try:
        values = version.item.inputs if texts is None else _read(version, texts)
        plan = versions.plan(principal, version.item.id, values)
    except FlagstoneError as error:
        return VersionPage(version, answers, told(error, answers))
    return VersionPage(version, answers, plan=plan, facts=read_plan(plan) if plan else None, checked=True)
