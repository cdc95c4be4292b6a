"""What people see beside the entities, for programs: health, removed entities, saved views."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import utc_now
from flagstone.portal.catalog.service.insight import InsightService
from flagstone.portal.catalog.service.moments import MomentService, moment_of
from flagstone.portal.catalog.service.views import SavedView, ViewService
from flagstone.sdk.guards import permit

READ = [permit("catalog.location.read")]
Reader = Annotated[Principal, permit("catalog.entity.read")]
Saver = Annotated[Principal, permit("catalog.view.save")]
Creator = Annotated[Principal, permit("catalog.location.create")]


class RestoreBody(BaseModel):
    """What to bring back."""

    model_config = ConfigDict(extra="forbid")
    ref: str = Field(min_length=3, max_length=300, examples=["component:default/orders"])


class ViewBody(BaseModel):
    """A view of the list."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=60)
    query: str = Field(max_length=4000, examples=["view=all&kind=component"])
    shared: bool = False


def router(insight: InsightService, views: ViewService, moments: MomentService) -> APIRouter:
    """All routes under ``/api/v1``."""
    api = APIRouter(prefix="/api/v1", tags=["catalog"])
    _health(api, insight)
    _views(api, views)
    _moments(api, moments)
    return api


def _health(api: APIRouter, insight: InsightService) -> None:
    @api.get("/catalog-health", dependencies=READ, summary="How much is wrong in the catalog, by kind of problem")
    def health() -> dict[str, Any]:
        return asdict(insight.counts())

    @api.get("/catalog-health/owners", dependencies=READ, summary="Owners that are not in the catalog")
    def owners() -> dict[str, Any]:
        return {"items": [{"ref": ref, "entities": number} for ref, number in insight.dangling_owners()]}

    @api.get("/removed-entities", dependencies=READ, summary="A page of entities that were removed lately")
    def removed(cursor: str | None = None, limit: int | None = None) -> dict[str, Any]:
        page = insight.removed(cursor=cursor, limit=limit)
        return {"items": [asdict(item) for item in page.items], "next_cursor": page.next_cursor}

    @api.post("/removed-entities/restore", summary="Bring a removed entity back")
    def restore(principal: Creator, body: RestoreBody) -> dict[str, Any]:
        return {"ref": insight.restore(principal, body.ref).ref}


def _moments(api: APIRouter, moments: MomentService) -> None:
    readers = [permit("catalog.entity.read")]

    @api.get("/catalog-past", dependencies=readers, summary="A page of the whole catalog as of a moment")
    def past(at: str, kind: str = "", q: str = "", cursor: str | None = None, limit: int | None = None) -> Response:
        page = moments.at(moment_of(at), kind=kind, text=q, cursor=cursor, limit=limit)
        # The documents are JSON text already: spliced, not parsed.
        items = ",".join(document for _, document in page.items)
        following = json.dumps(page.next_cursor)
        return Response(f'{{"items":[{items}],"next_cursor":{following}}}', media_type="application/json")

    @api.get("/catalog-changes", dependencies=readers, summary="What became of each entity between two moments")
    def changes(
        since: str, until: str = "", kind: str = "", cursor: str | None = None, limit: int | None = None
    ) -> dict[str, Any]:
        end = moment_of(until) if until else utc_now()
        page = moments.between(moment_of(since), end, kind=kind, cursor=cursor, limit=limit)
        return {"items": [asdict(item) for item in page.items], "next_cursor": page.next_cursor}


def _views(api: APIRouter, views: ViewService) -> None:
    @api.get("/catalog-views", summary="One's own views of the list, and the shared ones")
    def visible(principal: Reader) -> dict[str, Any]:
        return {"items": [_view(view) for view in views.visible(principal)]}

    @api.post("/catalog-views", summary="Save a view; one's own of the same name is replaced", status_code=201)
    def save(principal: Saver, body: ViewBody) -> dict[str, Any]:
        return _view(views.save(principal, body.name, body.query, shared=body.shared))

    @api.delete("/catalog-views/{view_id}", summary="Remove one's own view", status_code=204)
    def delete(principal: Saver, view_id: str) -> None:
        views.delete(principal, view_id)


def _view(view: SavedView) -> dict[str, Any]:
    return {
        "id": view.id,
        "name": view.name,
        "query": view.query,
        "shared": view.shared,
        "owner": view.owner_name,
        "created_at": view.created_at,
        "href": f"/catalog?{view.query}",
    }
