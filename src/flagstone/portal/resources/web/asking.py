"""``/resources/request``: what is needed, the plan with what it costs, and the start.

What was filled in stands in the address of the review, so that reloading, going back and sharing work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from flagstone.contracts.gateway import GatewayInfo
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict, FlagstoneError
from flagstone.kernel.ids import new_id
from flagstone.portal.catalog import EntityRow
from flagstone.portal.golden_paths import PlanView, plan_view, read_pairs
from flagstone.portal.resources.model import REQUEST, Offer, Wanted, read_wanted, request_form, wanted_of
from flagstone.portal.resources.permissions import CHANGE, READ
from flagstone.portal.resources.service import May
from flagstone.portal.resources.web.parts import Parts
from flagstone.toolkit.web.forms import Field, Pairs, answers, check, fields, flat, parse, problems, summary
from flagstone.toolkit.web.forms.entries import Entry
from flagstone.toolkit.web.pages import is_fragment

Asker = Annotated[Principal, permit(CHANGE)]
Text = Annotated[str, Query(max_length=300)]
Values = Annotated[str, Query(max_length=20_000)]
_CHOICES = 20
_KINDS = {"entityRef": ("component",), "owner": ("group",)}


@dataclass(frozen=True, slots=True)
class RequestPage:
    """The form."""

    platform: GatewayInfo
    offer: Offer
    wanted: Wanted
    may: May
    fields: tuple[Field, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[tuple[str, str, str], ...] = ()
    checked: bool = False
    error: FlagstoneError | None = None


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """What was filled in, and what would be done."""

    wanted: Wanted
    title: str
    entries: tuple[Entry, ...]
    labels: Mapping[str, str]
    view: PlanView
    nothing: bool
    """Whether it is there already, just as it is asked for."""
    back_href: str
    key: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class OptionsPage:
    """What a picker offers."""

    rows: Sequence[EntityRow]


class Asking:
    """Draws the form and the review."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._service = parts.service

    def form(self, request: Request, principal: Principal, wanted: Wanted, *, checked: bool = False) -> Response:
        """The form; ``checked``: with everything that is wrong."""
        platform = self._service.platform()
        if not platform.connected:
            page = RequestPage(platform, Offer(), wanted, May(False))
            return self._drawn(request, page)
        try:
            offer = self._service.offer(principal)
        except FlagstoneError as error:
            return self._drawn(request, RequestPage(platform, Offer(), wanted, May(False), error=error), error.status)
        schema = request_form(offer, wanted)
        wrong = check(schema, wanted.values) if checked else []
        said = {fault.name: fault.message for fault in wrong}
        found = fields(schema, wanted.values, said)
        refs = self._parts.pickers.refs_in(found)
        page = RequestPage(
            platform=platform,
            offer=offer,
            wanted=wanted,
            may=self._service.may_for(principal, wanted),
            fields=found,
            labels=self._parts.pickers.labels(refs),
            problems=problems(found, said, {fault.name: fault.label for fault in wrong}, "request"),
            checked=checked,
        )
        return self._drawn(request, page, 422 if said else 200)

    def review(
        self, request: Request, principal: Principal, wanted: Wanted, view: PlanView, status: int = 200
    ) -> Response:
        """The review with its plan."""
        offer = self._service.offer(principal)
        schema = request_form(offer, wanted)
        entries = tuple(summary([schema], wanted.values)[0])
        steps = view.plan.steps if view.plan else ()
        changes = [change for step in steps for change in step.changes]
        page = ReviewPage(
            wanted=wanted,
            title=offer.titles.get(wanted.type, wanted.type),
            entries=entries,
            labels=self._parts.pickers.labels({ref for entry in entries for ref in entry.refs}),
            view=view,
            nothing=bool(changes) and all(change.op == "none" for change in changes),
            back_href=f"{REQUEST}?{wanted.query}",
        )
        return self._parts.pages.render(request, "resources/review.html", page, status=status)

    def plan(self, principal: Principal, wanted: Wanted, *, changed: bool = False) -> PlanView:
        """The plan; what goes wrong becomes part of the page."""
        try:
            return plan_view(self._service.plan(principal, wanted), self._parts.pickers, changed=changed)
        except FlagstoneError as error:
            return PlanView(error=error)

    def posted(self, principal: Principal, pairs: Pairs) -> tuple[Wanted, bool]:
        """What was filled in, and whether everything that it asks for was on the page."""
        first = Wanted(
            type=(pairs.last("type") or "")[:300],
            entity_ref=(pairs.last("entityRef") or "").strip()[:300],
        )
        schema = request_form(self._service.offer(principal), first)
        values = parse(schema, pairs, {}).values
        values = self._parts.pickers.resolve(fields(schema, values), values)
        shown = set(pairs.all("_shown"))
        complete = all(item.name in shown or item.fixed for item in flat(fields(schema, values)))
        wanted = wanted_of(answers([schema], values) | ({"adopt": True} if pairs.last("adopt") else {}))
        return wanted, complete

    def _drawn(self, request: Request, page: RequestPage, status: int = 200) -> Response:
        return self._parts.pages.render(
            request, "resources/request.html", page, status=status, fragment="resources/_request.html"
        )

    def is_right(self, principal: Principal, wanted: Wanted) -> bool:
        """Whether nothing is missing or wrong, as far as a form can tell."""
        return not check(request_form(self._service.offer(principal), wanted), wanted.values)


def asking_routes(routes: APIRouter, parts: Parts) -> None:
    """Add them."""
    asking = Asking(parts)
    _add_form(routes, asking)
    _add_review(routes, asking, parts)
    _add_options(routes, parts)


def _add_form(routes: APIRouter, asking: Asking) -> None:
    @routes.get(REQUEST, response_class=HTMLResponse)
    def show_form(
        request: Request,
        principal: Asker,
        entity: Text = "",
        environment: Text = "",
        type: Text = "",  # noqa: A002  the name in the address
        name: Text = "",
        values: Values = "",
    ) -> Response:
        """The form, with what the address says filled in."""
        given = {"entityRef": entity, "environment": environment, "type": type, "name": name}
        return asking.form(request, principal, read_wanted(values) if values else wanted_of(given))

    @routes.post(REQUEST, response_class=HTMLResponse)
    def post_form(request: Request, pairs: Annotated[Pairs, Depends(read_pairs)], principal: Asker) -> Response:
        """It was filled in: on to the review, or drawn again with what is wrong or has to be asked, too."""
        wanted, complete = asking.posted(principal, pairs)
        if pairs.last("_action") != "review" or is_fragment(request):
            return asking.form(request, principal, wanted, checked=pairs.last("_checked") == "1")
        if not complete or not asking.is_right(principal, wanted):
            return asking.form(request, principal, wanted, checked=complete)
        return RedirectResponse(f"{REQUEST}/review?{wanted.query}", 303)


def _add_review(routes: APIRouter, asking: Asking, parts: Parts) -> None:
    @routes.get(f"{REQUEST}/review", response_class=HTMLResponse)
    def show_review(request: Request, principal: Asker, values: Values) -> Response:
        """What would be done, by whom, and what it costs."""
        wanted = read_wanted(values)
        if not asking.is_right(principal, wanted):
            return asking.form(request, principal, wanted, checked=True)
        return asking.review(request, principal, wanted, asking.plan(principal, wanted))

    @routes.post(f"{REQUEST}/review", response_class=HTMLResponse)
    def start(
        request: Request,
        principal: Asker,
        values: Annotated[str, Form(max_length=20_000)],
        digest: Annotated[str, Form(max_length=200)] = "",
        key: Annotated[str, Form(max_length=100)] = "",
    ) -> Response:
        """Ask for it, when the plan is still the one that was seen."""
        wanted = read_wanted(values)
        try:
            run = parts.service.start(principal, wanted, digest=digest or None, key=key or None)
        except Conflict as error:
            view = asking.plan(principal, wanted, changed=True)
            if view.plan is None or view.plan.digest == digest:
                view = PlanView(view.plan, view.facts, view.files, error, names=view.names)
            return asking.review(request, principal, wanted, view, 409)
        except FlagstoneError as error:
            return asking.review(request, principal, wanted, PlanView(error=error), error.status)
        return RedirectResponse(f"/runs/{run.number}", 303)


def _add_options(routes: APIRouter, parts: Parts) -> None:
    @routes.post(f"{REQUEST}/_options", response_class=HTMLResponse)
    def options(
        request: Request,
        _principal: Annotated[Principal, permit(READ)],
        field: Annotated[str, Form(max_length=100)] = "",
        q: Annotated[str, Form(max_length=100)] = "",
    ) -> Response:
        """Components and teams to choose from, 20 at most."""
        kinds = _KINDS.get(field)
        rows = parts.catalog.options(kinds, q.strip(), _CHOICES) if kinds else ()
        return parts.pages.render(request, "resources/_options.html", OptionsPage(rows))
