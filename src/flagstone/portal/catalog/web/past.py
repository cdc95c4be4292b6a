"""The catalog as it was, and what changed between two moments."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Invalid
from flagstone.portal.catalog.model import CatalogQuery
from flagstone.portal.catalog.service.catalog import CatalogService
from flagstone.portal.catalog.service.moments import Became, MomentService, moment_of
from flagstone.portal.catalog.web.views import EntityLink, href_of, link_of
from flagstone.sdk.guards import permit
from flagstone.toolkit.web.pages import Pages

Reader = Annotated[Principal, permit("catalog.entity.read")]
_PAGE = 50
_SPANS = (("A day ago", 1), ("A week ago", 7), ("30 days ago", 30), ("90 days ago", 90))


@dataclass(frozen=True, slots=True)
class PastPage:
    """Entities at a moment."""

    at: str
    shown: str
    kind: str
    text: str
    kinds: Sequence[str]
    spans: Sequence[tuple[str, str]]
    total: int
    rows: Sequence[tuple[EntityLink, str, str, str]]
    """Link to what it was, type, owner, lifecycle."""
    more: str | None
    error: str


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """What changed between two moments."""

    start: str
    end: str
    kind: str
    kinds: Sequence[str]
    rows: Sequence[tuple[EntityLink, Became, str]]
    """Link, what became of it, address of the difference."""
    more: str | None
    error: str


def past_routes(routes: APIRouter, moments: MomentService, catalog: CatalogService, pages: Pages) -> None:
    """``/catalog/past`` and ``/catalog/changes``."""
    views = PastViews(moments, catalog)

    @routes.get("/catalog/past")
    def past(
        request: Request,
        _: Reader,
        at: str = "",
        kind: str = "",
        q: str = "",
        cursor: str | None = None,
    ) -> Response:
        return pages.render(request, "catalog/past.html", views.past(at, kind, q.strip(), cursor))

    @routes.get("/catalog/changes")
    def changes(
        request: Request,
        _: Reader,
        since: str = "",
        until: str = "",
        kind: str = "",
        cursor: str | None = None,
    ) -> Response:
        return pages.render(request, "catalog/changes.html", views.changes(since, until, kind, cursor))


class PastViews:
    """Builds both pages."""

    def __init__(self, moments: MomentService, catalog: CatalogService) -> None:
        self._moments = moments
        self._catalog = catalog

    def past(self, at: str, kind: str, text: str, cursor: str | None) -> PastPage:
        """Entities at a moment, a week ago when none is given."""
        now = datetime.now(UTC)
        moment, error = _moment(at, now - timedelta(days=7))
        found = self._moments.at(moment, kind=kind, text=text, cursor=cursor, limit=_PAGE)
        written = _field(moment)
        rows = [self._row(ref, json.loads(document), moment) for ref, document in found.items]
        more = {"at": written, "kind": kind, "q": text, "cursor": found.next_cursor}
        return PastPage(
            at=written,
            shown=f"{moment:%Y-%m-%d %H:%M UTC}",
            kind=kind,
            text=text,
            kinds=self._kinds(),
            spans=[(label, _field(now - timedelta(days=days))) for label, days in _SPANS],
            total=self._moments.count(moment, kind=kind, text=text),
            rows=rows,
            more=f"/catalog/past?{urlencode(more)}" if found.next_cursor else None,
            error=error,
        )

    def changes(self, since: str, until: str, kind: str, cursor: str | None) -> ChangesPage:
        """What changed, in the last week when nothing else is said."""
        now = datetime.now(UTC) + timedelta(minutes=1)
        start, first = _moment(since, now - timedelta(days=7))
        end, second = _moment(until, now)
        try:
            found = self._moments.between(start, end, kind=kind, cursor=cursor, limit=_PAGE)
            items, following, third = found.items, found.next_cursor, ""
        except Invalid as error:
            items, following, third = (), None, f"{error.message} {error.hint or ''}"
        span = {"from": start.isoformat(), "to": end.isoformat()}
        rows = [
            (link_of(item.ref, None, self._catalog.kinds), item, f"{href_of(item.ref)}/history?{urlencode(span)}")
            for item in items
        ]
        more = {"since": _field(start), "until": _field(end), "kind": kind, "cursor": following}
        return ChangesPage(
            start=_field(start),
            end=_field(end),
            kind=kind,
            kinds=self._kinds(),
            rows=rows,
            more=f"/catalog/changes?{urlencode(more)}" if following else None,
            error=first or second or third,
        )

    def _kinds(self) -> list[str]:
        return sorted(item.value for item in self._catalog.facets(CatalogQuery(), ("kinds",))["kinds"])

    def _row(self, ref: str, document: dict[str, Any], moment: datetime) -> tuple[EntityLink, str, str, str]:
        spec = document.get("spec")
        told = spec if isinstance(spec, dict) else {}
        link = link_of(ref, None, self._catalog.kinds)
        href = f"{link.href}?{urlencode({'at': moment.isoformat()})}"
        title = str(document["metadata"].get("title") or document["metadata"]["name"])
        type_, owner, lifecycle = (str(told.get(key) or "") for key in ("type", "owner", "lifecycle"))
        return replace(link, label=title, href=href), type_, owner, lifecycle


def _moment(text: str, default: datetime) -> tuple[datetime, str]:
    if not text.strip():
        return default, ""
    try:
        return moment_of(text), ""
    except Invalid as error:
        return default, f"{error.message} {error.hint or ''}"


def _field(moment: datetime) -> str:
    """As a field for date and time takes it, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
