"""The routes of a new batch: what runs for which entities, the answers, the preview, and the start."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError, Invalid, NotFound
from flagstone.portal.batches.model import Answers, EntityQuery
from flagstone.portal.batches.permissions import WRITE
from flagstone.portal.batches.web.answers import AnswersPage, answers_page
from flagstone.portal.batches.web.choosing import choose_page
from flagstone.portal.batches.web.parts import Parts
from flagstone.portal.batches.web.posted import Posted, read_posted, read_secrets
from flagstone.portal.batches.web.preview import plan_page, preview_page, refused_page
from flagstone.portal.golden_paths import GoldenPath, read_pairs
from flagstone.toolkit.web.forms import Pairs

Writer = Annotated[Principal, permit(WRITE)]
Body = Annotated[Pairs, Depends(read_pairs)]


@dataclass(frozen=True, slots=True)
class _Post:
    """A posted form with what it is about."""

    path: GoldenPath
    posted: Posted
    action: str


def making_routes(routes: APIRouter, parts: Parts) -> None:
    """Add them."""
    _choosing(routes, parts)
    _answering(routes, parts)
    _previewing(routes, parts)
    _starting(routes, parts)


def _read(parts: Parts, pairs: Pairs) -> _Post:
    path = parts.path(pairs.last("_template") or "")
    return _Post(path, read_posted(pairs, path), pairs.last("_action") or "")


def _draw_answers(parts: Parts, request: Request, page: AnswersPage) -> Response:
    status = 422 if page.problems else page.error.status if page.error else 200
    return parts.pages.render(request, "batches/answers.html", page, status=status, fragment="batches/_answers.html")


def _choosing(routes: APIRouter, parts: Parts) -> None:
    @routes.get("/batches/new", response_class=HTMLResponse)
    def choose(request: Request, principal: Writer, template: str = "") -> Response:
        """Which golden path, for which entities; the filters are those of the catalog's list."""
        page = choose_page(parts, principal, template, EntityQuery.of_pairs(request.query_params.multi_items()))
        return parts.pages.render(request, "batches/choose.html", page, fragment="batches/_found.html")

    @routes.get("/batches/new/answers", response_class=HTMLResponse)
    def show_answers(request: Request, principal: Writer, template: str = "") -> Response:
        """The form of the golden path, where each field may be filled in from the entities."""
        query = EntityQuery.of_pairs(request.query_params.multi_items())
        try:
            path = parts.path(template)
            page = answers_page(parts, principal, path, Posted(f"{path.namespace}/{path.name}", query, Answers()))
        except (Invalid, NotFound) as error:
            chosen = replace(choose_page(parts, principal, template, query), error=error)
            return parts.pages.render(request, "batches/choose.html", chosen, status=error.status)
        return _draw_answers(parts, request, page)


def _answering(routes: APIRouter, parts: Parts) -> None:
    @routes.post("/batches/new/answers", response_class=HTMLResponse)
    def post_answers(request: Request, pairs: Body, principal: Writer) -> Response:
        """Draw the form again, or go on to the preview."""
        post = _read(parts, pairs)
        onwards = post.action == "preview" or pairs.last("_without") is not None
        if not onwards or post.posted.operation:
            return _draw_answers(parts, request, answers_page(parts, principal, post.path, post.posted))
        page = answers_page(parts, principal, post.path, post.posted, checked=True)
        if page.problems:
            return _draw_answers(parts, request, page)
        try:
            found = parts.previews.prepare(principal, post.path, post.posted.query, post.posted.answers)
        except Invalid as error:
            return _draw_answers(parts, request, replace(page, error=error))
        return parts.pages.render(request, "batches/preview.html", preview_page(post.path, post.posted, found))


def _previewing(routes: APIRouter, parts: Parts) -> None:
    @routes.post("/batches/new/rows", response_class=HTMLResponse)
    def more_rows(request: Request, pairs: Body, principal: Writer) -> Response:
        """Further entities of a preview."""
        post = _read(parts, pairs)
        after = pairs.last("_after") or "0"
        found = parts.previews.prepare(principal, post.path, post.posted.query, post.posted.answers)
        shown = preview_page(post.path, post.posted, found, int(after) if after.isdecimal() else 0)
        return parts.pages.render(request, "batches/_rows.html", shown)

    @routes.post("/batches/new/plan", response_class=HTMLResponse)
    def show_plan(request: Request, pairs: Body, principal: Writer) -> Response:
        """The plan of one entity, for the preview."""
        post = _read(parts, pairs)
        page = plan_page(parts, principal, post.path, post.posted, pairs.last("_ref") or "")
        return parts.pages.render(request, "batches/_plan.html", page)


def _starting(routes: APIRouter, parts: Parts) -> None:
    @routes.post("/batches/new/start", response_class=HTMLResponse)
    def start(request: Request, pairs: Body, principal: Writer) -> Response:
        """Start what was previewed with the secrets that came along, and go to the page of the batch."""
        post, secrets = _read(parts, pairs), read_secrets(pairs)
        path, posted, previews = post.path, post.posted, parts.previews
        if post.action == "edit" or posted.faults:
            page = answers_page(parts, principal, path, posted, checked=bool(posted.faults))
            return _draw_answers(parts, request, page)
        found = previews.prepare(principal, path, posted.query, posted.answers, secrets)
        try:
            made = previews.start(
                principal,
                found,
                posted.options,
                digest=posted.digest,
                secrets=secrets,
                leave_out_invalid=posted.leave_out,
                key=posted.key,
            )
        except FlagstoneError as error:
            refused = refused_page(preview_page(path, posted, found), error)
            return parts.pages.render(request, "batches/preview.html", refused, status=error.status)
        return RedirectResponse(f"/batches/{made.id}", 303)
