"""``/runs``: the list, one run, its stream, its log as text, and its buttons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool

from flagstone.contracts.gateway import GatewayInfo
from flagstone.contracts.runs import RunLink, RunSummary, RunView
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import FlagstoneError, NotFound, Unavailable
from flagstone.portal.self_service.model import ACTIVE, RunFacts, plain_text, read_run, run_dot, run_word
from flagstone.portal.self_service.model.runs import elapsed, percent
from flagstone.portal.self_service.model.timelines import Difference, Timeline, compare, timeline
from flagstone.portal.self_service.permissions import RUN_CHANGE, RUN_READ
from flagstone.portal.self_service.service import Proof, RunReader, follow_run
from flagstone.portal.self_service.web.streams import cursor_of, stream
from flagstone.portal.self_service.web.waiting import Typed, WaitingPart, waiting_part, waiting_routes
from flagstone.toolkit.web.diff import diff_lines
from flagstone.toolkit.web.markdown import render_markdown
from flagstone.toolkit.web.pages import Pages


@dataclass(frozen=True, slots=True)
class RunLine:
    """A row of the list."""

    run: RunSummary
    dot: str
    word: str
    elapsed: str
    percent: int
    active: bool


@dataclass(frozen=True, slots=True)
class RunsPage:
    """The list of runs."""

    q: str
    state: str
    mine: bool
    lines: tuple[RunLine, ...]
    platform: GatewayInfo
    here: str
    more_href: str | None
    any_active: bool


@dataclass(frozen=True, slots=True)
class RunPage:
    """One run."""

    run: RunView
    facts: RunFacts
    links: tuple[tuple[str, str, str, bool], ...]
    """(title, address, icon, leaves the product)."""
    texts: tuple[tuple[str, Markup], ...]
    """(title, rendered Markdown)."""
    proofs: tuple[Proof, ...]
    may_change: bool
    again_href: str | None
    failed_step: str
    step: str
    timeline: Timeline
    before_href: str | None
    """Where this run is compared with the one before of the same template."""
    waiting: WaitingPart
    may_answer: bool


def run_lines(runs: tuple[RunSummary, ...]) -> tuple[RunLine, ...]:
    """Runs as rows."""
    now = utc_now()
    return tuple(
        RunLine(run, run_dot(run.state), run_word(run.state), elapsed(run, now), percent(run), run.state in ACTIVE)
        for run in runs
    )


def run_page(runs: RunReader, principal: Principal, run_id: str, step: str = "", typed: Typed | None = None) -> RunPage:
    """Everything that the page of a run shows. Raises NotFound."""
    run = runs.get(principal, run_id)
    failed = next((item for item in run.steps if item.state in ("failed", "unknown")), None)
    namespace, _, name = (run.template_ref or "").partition(":")[2].partition("/")
    text = run.output.get("text")
    return RunPage(
        run=run,
        facts=read_run(run, utc_now()),
        links=tuple(_link(link) for link in run.links),
        texts=tuple(_text(item) for item in text if isinstance(item, dict)) if isinstance(text, list) else (),
        proofs=tuple(runs.proofs(principal, run)) if run.state not in ACTIVE else (),
        may_change=runs.may_change(principal),
        again_href=f"/create/{namespace}/{name}?run={run.number}" if name else None,
        failed_step=failed.name if failed else "",
        step=step,
        timeline=timeline(run, utc_now()),
        before_href=_before(runs, principal, run),
        waiting=waiting_part(runs, principal, run, active=run.state in ACTIVE, typed=typed),
        may_answer=runs.may_answer(principal),
    )


def _before(runs: RunReader, principal: Principal, run: RunView) -> str | None:
    if run.rerun_of:
        return f"/runs/compare?one={run.rerun_of}&other={run.number}"
    earlier = runs.before(principal, run) if run.template_ref and run.state not in ACTIVE else None
    return f"/runs/compare?one={earlier.number}&other={run.number}" if earlier else None


@dataclass(frozen=True, slots=True)
class ComparePage:
    """Two runs."""

    one: RunView | None
    other: RunView | None
    asked: tuple[str, str]
    differences: tuple[tuple[Difference, Any], ...]
    """Each with the lines that differ; None when it is the same in both."""
    missing: str


def compared(runs: RunReader, principal: Principal, one: str, other: str) -> ComparePage:
    """Both runs, or what is missing to compare them."""
    found: list[RunView] = []
    missing = ""
    for ref in (one, other):
        try:
            if ref.strip():
                found.append(runs.get(principal, ref.strip().lstrip("#")))
        except NotFound as error:
            missing = error.message
    if len(found) < 2:
        return ComparePage(None, None, (one, other), (), missing)
    parts = compare(found[0], found[1], utc_now())
    shown = tuple((part, None if part.same else diff_lines(part.before, part.after)) for part in parts)
    return ComparePage(found[0], found[1], (one, other), shown, "")


def _link(link: RunLink) -> tuple[str, str, str, bool]:
    if link.entity_ref:
        href = "/catalog/" + link.entity_ref.replace(":", "/", 1).lower()
        return link.title or link.entity_ref, href, "layout-list", False
    url = link.url or ""
    safe = url if url.startswith(("https://", "http://")) or (url.startswith("/") and url[1:2] != "/") else ""
    return link.title or url, safe, "arrow-up-right", not safe.startswith("/")


def _text(item: dict[str, Any]) -> tuple[str, Markup]:
    return str(item.get("title") or ""), render_markdown(str(item.get("content") or ""), base_url="")


def run_routes(routes: APIRouter, runs: RunReader, pages: Pages) -> None:
    """Add the pages of runs."""

    @routes.get("/runs", response_class=HTMLResponse)
    def list_runs(
        request: Request,
        principal: Annotated[Principal, permit(RUN_READ)],
        q: str = "",
        state: str = "",
        mine: str = "",
        cursor: str | None = None,
    ) -> Response:
        """Runs, newest first."""
        found = runs.list(principal, state=state, mine=bool(mine), text=q, cursor=cursor)
        asked = {key: value for key, value in (("q", q), ("state", state), ("mine", mine)) if value}
        more = f"/runs?{urlencode({**asked, 'cursor': found.next_cursor})}" if found.next_cursor else None
        lines = run_lines(found.items)
        page = RunsPage(
            q=q,
            state=state,
            mine=bool(mine),
            lines=lines,
            platform=runs.platform(),
            here=f"/runs?{urlencode(asked)}" if asked else "/runs",
            more_href=more,
            any_active=any(line.active for line in lines),
        )
        fragment = "self_service/_run_rows.html" if cursor else "self_service/_runs.html"
        return pages.render(request, "self_service/runs.html", page, fragment=fragment)

    @routes.get("/runs/compare", response_class=HTMLResponse)
    def compare_runs(
        request: Request, principal: Annotated[Principal, permit(RUN_READ)], one: str = "", other: str = ""
    ) -> Response:
        """Two runs side by side: what they were told, what each step did, how long it took."""
        return pages.render(request, "self_service/compare.html", compared(runs, principal, one, other))

    @routes.get("/runs/{run_id}", response_class=HTMLResponse)
    def show_run(
        request: Request,
        run_id: str,
        principal: Annotated[Principal, permit(RUN_READ)],
        step: str = "",
        part: str = "",
    ) -> Response:
        """One run, by id or number; ``part`` names what a page that is open already fetches again."""
        page = run_page(runs, principal, run_id, step)
        fragment = f"self_service/_run_{part if part in ('details', 'waiting') else 'head'}.html"
        return pages.render(request, "self_service/run.html", page, fragment=fragment)

    _answer_routes(routes, runs, pages)

    @routes.get("/runs/{run_id}/stream")
    async def stream_run(
        request: Request, run_id: str, principal: Annotated[Principal, permit(RUN_READ)]
    ) -> StreamingResponse:
        """Steps and log lines as they come (server-sent events); a reader goes on after ``Last-Event-ID``."""
        run = await run_in_threadpool(runs.get, principal, run_id)
        return stream(follow_run(runs.gateway, principal, run, cursor_of(request, 0)[0]))

    @routes.get("/runs/{run_id}/log.txt")
    def log_text(run_id: str, principal: Annotated[Principal, permit(RUN_READ)]) -> StreamingResponse:
        """The whole log as text."""
        run = runs.get(principal, run_id)

        def portions() -> Iterator[str]:
            for events in runs.events(principal, run.id):
                yield plain_text(events)

        name = f"run-{run.number}.log.txt"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
        return StreamingResponse(portions(), media_type="text/plain; charset=utf-8", headers=headers)

    @routes.post("/runs/{run_id}/cancel")
    def cancel(
        run_id: str, principal: Annotated[Principal, permit(RUN_CHANGE)], undo: Annotated[str, Form()] = ""
    ) -> Response:
        """Ask a run to stop."""
        return RedirectResponse(f"/runs/{runs.cancel(principal, run_id, undo=bool(undo)).number}", 303)

    @routes.post("/runs/{run_id}/retry")
    def retry(
        run_id: str, principal: Annotated[Principal, permit(RUN_CHANGE)], from_step: Annotated[str, Form()] = ""
    ) -> Response:
        """Go on from the failed step."""
        return RedirectResponse(f"/runs/{runs.retry(principal, run_id, from_step or None).number}", 303)


def _answer_routes(routes: APIRouter, runs: RunReader, pages: Pages) -> None:
    def answered(request: Request, principal: Principal, run_id: str, typed: Typed, status: int) -> Response:
        page = run_page(runs, principal, run_id, typed=typed)
        return pages.render(request, "self_service/run.html", page, status=status)

    waiting_routes(routes, runs, answered)


def list_or_explain(runs: RunReader, principal: Principal, **query: Any) -> tuple[tuple[RunSummary, ...], str]:
    """Runs for a card, or why there are none."""
    try:
        return runs.list(principal, **query).items, ""
    except Unavailable as error:
        return (), error.message
    except FlagstoneError as error:
        return (), error.message
