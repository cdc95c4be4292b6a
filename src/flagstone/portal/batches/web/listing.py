"""The list of batches, one of them with its entities, and the buttons on its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from flagstone.contracts.batches import BatchItemView, BatchState, BatchVerb, BatchView, ItemState
from flagstone.contracts.gateway import GatewayInfo
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.portal.batches.model import Bar, bars, dot_of, word_of
from flagstone.portal.batches.permissions import READ, WRITE
from flagstone.portal.batches.service import BatchReader
from flagstone.portal.batches.web.posted import read_secrets
from flagstone.portal.catalog import EntityRow
from flagstone.portal.golden_paths import read_pairs
from flagstone.toolkit.web.forms import Pairs
from flagstone.toolkit.web.pages import Pages

Group = Literal["", "going", "stopped", "ended"]
_GROUPS: dict[str, tuple[BatchState, ...]] = {
    "going": ("running", "cancelling"),
    "stopped": ("stopped", "paused"),
    "ended": ("succeeded", "failed", "cancelled"),
}
TABS = (
    ("", "All", "/batches"),
    ("going", "Running", "/batches?state=going"),
    ("stopped", "Stopped", "/batches?state=stopped"),
    ("ended", "Ended", "/batches?state=ended"),
)
Shown = Literal["", "pending", "active", "succeeded", "failed", "left"]
_SHOWN: dict[str, tuple[ItemState, ...]] = {
    "pending": ("pending",),
    "active": ("starting", "queued", "running", "waiting", "unknown"),
    "succeeded": ("succeeded",),
    "failed": ("failed",),
    "left": ("cancelled", "skipped"),
}


@dataclass(frozen=True, slots=True)
class BatchLine:
    """A row of the list."""

    batch: BatchView
    dot: str
    word: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class ListPage:
    """Batches."""

    lines: tuple[BatchLine, ...]
    platform: GatewayInfo
    more_href: str | None
    here: str
    active: bool
    may_start: bool
    state: str = ""
    tabs: tuple[tuple[str, str, str], ...] = TABS


@dataclass(frozen=True, slots=True)
class ItemLine:
    """One entity of a batch. ``row`` is None for one that is not in the catalog any more."""

    item: BatchItemView
    dot: str
    word: str
    row: EntityRow | None


@dataclass(frozen=True, slots=True)
class BatchPage:
    """One batch."""

    batch: BatchView
    dot: str
    word: str
    bars: tuple[Bar, ...]
    state: str
    choices: tuple[tuple[str, str, int], ...]
    lines: tuple[ItemLine, ...]
    more_href: str | None
    first_href: str | None
    here: str
    active: bool
    template: EntityRow | None


def batch_line(batch: BatchView) -> BatchLine:
    """A batch as a row."""
    return BatchLine(batch, dot_of(batch.state), word_of(batch.state), bars(batch.counts))


def _choices(batch: BatchView) -> tuple[tuple[str, str, int], ...]:
    counts = batch.counts
    left = counts.cancelled + counts.skipped
    return (
        ("", "All", counts.total),
        ("pending", "Not started", counts.pending),
        ("active", "Going", counts.active),
        ("succeeded", "Succeeded", counts.succeeded),
        ("failed", "Failed", counts.failed),
        ("left", "Left out", left),
    )


def batch_page(reader: BatchReader, principal: Principal, ident: str, state: str, cursor: str | None) -> BatchPage:
    """Everything that the page of a batch shows. Raises NotFound."""
    batch = reader.get(principal, ident)
    found = reader.items(principal, ident, state=_SHOWN.get(state, ()), cursor=cursor)
    wanted = {item.subject for item in found.items} | ({batch.template_ref} if batch.template_ref else set())
    rows: Mapping[str, EntityRow] = reader.rows(wanted)

    def href(at: str | None) -> str:
        pairs = [(name, value) for name, value in (("state", state), ("cursor", at)) if value]
        return f"/batches/{batch.id}" + (f"?{urlencode(pairs)}" if pairs else "")

    return BatchPage(
        batch=batch,
        dot=dot_of(batch.state),
        word=word_of(batch.state),
        bars=bars(batch.counts),
        state=state,
        choices=_choices(batch),
        lines=tuple(
            ItemLine(item, dot_of(item.state), word_of(item.state), rows.get(item.subject)) for item in found.items
        ),
        more_href=href(found.next_cursor) if found.next_cursor else None,
        first_href=href(None) if cursor else None,
        here=href(cursor),
        active=batch.state in ("running", "cancelling") or batch.counts.active > 0,
        template=rows.get(batch.template_ref or ""),
    )


def listing_routes(routes: APIRouter, reader: BatchReader, pages: Pages) -> None:
    """Add them."""

    @routes.get("/batches", response_class=HTMLResponse)
    def show_list(
        request: Request,
        principal: Annotated[Principal, permit(READ)],
        state: Group = "",
        cursor: str | None = None,
    ) -> Response:
        """Batches, newest first."""
        found = reader.list(principal, state=_GROUPS.get(state, ()), cursor=cursor)
        asked = {name: value for name, value in (("state", state), ("cursor", cursor)) if value}
        more = f"/batches?{urlencode({**asked, 'cursor': found.next_cursor})}" if found.next_cursor else None
        lines = tuple(batch_line(batch) for batch in found.items)
        page = ListPage(
            lines=lines,
            platform=reader.platform(),
            more_href=more,
            here=f"/batches?{urlencode(asked)}" if asked else "/batches",
            active=any(line.dot == "progress" for line in lines),
            may_start=reader.may_start(principal),
            state=state,
        )
        return pages.render(request, "batches/list.html", page, fragment="batches/_list.html")

    @routes.get("/batches/{ident}", response_class=HTMLResponse)
    def show(
        request: Request,
        ident: str,
        principal: Annotated[Principal, permit(READ)],
        state: Shown = "",
        cursor: str | None = None,
    ) -> Response:
        """One with its progress and its entities."""
        page = batch_page(reader, principal, ident, state, cursor)
        return pages.render(request, "batches/batch.html", page, fragment="batches/_batch.html")

    @routes.post("/batches/{ident}/{verb}")
    def act(
        ident: str,
        verb: BatchVerb,
        pairs: Annotated[Pairs, Depends(read_pairs)],
        principal: Annotated[Principal, permit(WRITE)],
    ) -> Response:
        """Pause, continue, cancel it, or retry what failed, with other secrets if some were filled in."""
        reader.change(principal, ident, verb, read_secrets(pairs))
        return RedirectResponse(f"/batches/{ident}", 303)
