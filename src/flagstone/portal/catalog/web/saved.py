"""Saved views of the list, and the list as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from flagstone.kernel.actor import Principal
from flagstone.portal.catalog.model import CatalogQuery, EntityRow
from flagstone.portal.catalog.service.catalog import CatalogService
from flagstone.portal.catalog.service.views import ViewService
from flagstone.portal.catalog.web.listing import Asked, viewed
from flagstone.sdk.guards import permit

_HEAD = ("kind", "namespace", "name", "title", "type", "lifecycle", "owner", "system", "tags", "description", "changed")
_BATCH = 500
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")
Saver = Annotated[Principal, permit("catalog.view.save")]
Reader = Annotated[Principal, permit("catalog.entity.read")]


def saved_routes(routes: APIRouter, catalog: CatalogService, views: ViewService) -> None:
    """``/catalog/views`` and ``/catalog/export.csv``."""

    @routes.get("/catalog/export.csv")
    def export(request: Request, principal: Reader) -> Response:
        asked = Asked.of(request)
        query = replace(viewed(asked.query(), asked.view or "all", principal), cursor=None, limit=_BATCH)
        headers = {"Content-Disposition": 'attachment; filename="catalog.csv"'}
        return StreamingResponse(table(rows(catalog, query)), media_type="text/csv; charset=utf-8", headers=headers)

    @routes.get("/catalog/views/{view_id}")
    def show(principal: Reader, view_id: str) -> Response:
        return RedirectResponse(f"/catalog?{views.get(principal, view_id).query}", 303)

    @routes.post("/catalog/views")
    def save(
        principal: Saver,
        name: Annotated[str, Form()] = "",
        query: Annotated[str, Form()] = "",
        shared: Annotated[str, Form()] = "",
    ) -> Response:
        view = views.save(principal, name, query, shared=bool(shared))
        return RedirectResponse(f"/catalog?{view.query}", 303)

    @routes.post("/catalog/views/{view_id}/delete")
    def delete(principal: Saver, view_id: str) -> Response:
        views.delete(principal, view_id)
        return RedirectResponse("/catalog", 303)


def rows(catalog: CatalogService, query: CatalogQuery) -> Iterator[EntityRow]:
    """Every row of a query, page by page, so that a hundred thousand of them need no memory."""
    while True:
        page = catalog.list(query)
        yield from page.items
        if page.next_cursor is None:
            return
        query = replace(query, cursor=page.next_cursor)


def table(found: Iterable[EntityRow]) -> Iterator[str]:
    """Lines of CSV. What a spreadsheet would take for a formula is marked as text."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(_HEAD)
    for number, row in enumerate(found, 1):
        values = (
            *(row.kind, row.namespace, row.name, row.title, row.type, row.lifecycle, row.owner or "", row.system or ""),
            *(", ".join(row.tags), row.description, row.updated_at.isoformat()),
        )
        writer.writerow([safe(value) for value in values])
        if number % _BATCH == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def safe(value: str) -> str:
    """A cell that no spreadsheet runs."""
    return f"'{value}" if value.startswith(_RISKY) else value
