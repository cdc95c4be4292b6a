"""The catalog's own JSON API. Documents are sent as they are stored; only small things are built here."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Invalid, NotFound, Problem
from flagstone.kernel.paging import Page
from flagstone.portal.catalog.model import SORT_FIELDS, CatalogProblem, CatalogQuery, Change, FilterTerms, Location
from flagstone.portal.catalog.service.catalog import CatalogService
from flagstone.portal.catalog.service.lists import FACETS
from flagstone.portal.catalog.service.locations import LocationService, Preview
from flagstone.portal.catalog.service.records import RecordService, StarService
from flagstone.portal.catalog.service.sync import Report
from flagstone.sdk.guards import permit

_JSON = "application/json"
Reader = Annotated[Principal, permit("catalog.entity.read")]
READ = [permit("catalog.entity.read")]
READ_LOCATIONS = [permit("catalog.location.read")]
Words = Annotated[list[str], Query(default_factory=list)]


class LocationBody(BaseModel):
    """What to register."""

    model_config = ConfigDict(extra="forbid")
    type: str = Field(min_length=1, max_length=64, examples=["file"])
    target: str = Field(min_length=1, max_length=2000, examples=["/srv/catalog/catalog-info.yaml"])


class ApprovalBody(BaseModel):
    """Which deletions are agreed to: the digest that the held location shows."""

    model_config = ConfigDict(extra="forbid")
    digest: str


def router(
    catalog: CatalogService, records: RecordService, locations: LocationService, stars: StarService
) -> APIRouter:
    """All routes under ``/api/v1``."""
    api = APIRouter(prefix="/api/v1", tags=["catalog"])
    _lists(api, catalog)
    _entities(api, catalog, records, stars)
    _locations(api, locations)
    _problems(api, records)
    return api


def _lists(api: APIRouter, catalog: CatalogService) -> None:
    @api.get("/entities", summary="A page of entities", response_class=Response)
    def entities(
        principal: Reader,
        kind: Words,
        type: Words,  # noqa: A002  the word on the wire
        owner: Words,
        system: Words,
        lifecycle: Words,
        tag: Words,
        namespace: Words,
        filter: Words,  # noqa: A002  the word on the wire
        q: str | None = None,
        mine: bool = False,
        starred: bool = False,
        sort: str = "name",
        cursor: str | None = None,
        limit: int | None = None,
        count: bool = False,
    ) -> Response:
        query = CatalogQuery(
            kinds=tuple(kind),
            types=tuple(type),
            owners=tuple(sorted(principal.owner_refs)) if mine else (tuple(_refs(owner, "group")) if owner else None),
            systems=tuple(_refs(system, "system")),
            lifecycles=tuple(lifecycle),
            tags=tuple(tag),
            namespaces=tuple(namespace),
            text=q,
            starred_by=principal.id if starred else None,
            filters=tuple(parse_filter(text) for text in filter),
            **_sort(sort),
            cursor=cursor,
            limit=limit,
            count=count,
        )
        page = catalog.texts(query)
        tail = json.dumps({"next_cursor": page.next_cursor, "total": page.total})[1:]
        return Response(f'{{"items":[{",".join(page.items)}],{tail}', media_type=_JSON)

    @api.get("/entity-facets", dependencies=READ, summary="Values of fields, with counts")
    def facets(facet: Words, filter: Words, kind: Words) -> dict[str, Any]:  # noqa: A002
        query = CatalogQuery(kinds=tuple(kind), filters=tuple(parse_filter(text) for text in filter))
        wanted = facet or list(FACETS)
        named = catalog.facets(query, [name for name in wanted if name in FACETS])
        other = {name: catalog.values(query, name) for name in wanted if name not in FACETS}
        found = {name: (named | other)[name] for name in wanted}
        return {"facets": {k: [{"value": v.value, "count": v.count} for v in values] for k, values in found.items()}}

    @api.get("/entity-kinds", dependencies=READ, summary="The kinds that this catalog knows")
    def kinds() -> dict[str, Any]:
        return {
            "items": [
                {
                    "name": kind.name,
                    "plural": kind.plural,
                    "description": kind.description,
                    "icon": kind.icon,
                    "api_versions": list(kind.api_versions),
                    "schema": kind.schema,
                    "relations": [
                        {"field": r.path, "forward": r.forward, "reverse": r.reverse, "default_kind": r.default_kind}
                        for r in kind.relations
                    ],
                }
                for kind in catalog.kinds.all()
            ]
        }


def _entities(api: APIRouter, catalog: CatalogService, records: RecordService, stars: StarService) -> None:
    path = "/entities/{kind}/{namespace}/{name}"

    @api.get(path, dependencies=READ, summary="One entity", response_class=Response)
    def entity(kind: str, namespace: str, name: str, at: datetime | None = None) -> Response:
        if at is not None:
            return _at(records, f"{kind}:{namespace}/{name}", at)
        found = catalog.get(f"{kind}:{namespace}/{name}")
        return Response(found.text, media_type=_JSON, headers={"ETag": f'"{found.etag}"'})

    @api.get(f"{path}/source", dependencies=READ, summary="Where an entity comes from, and its document")
    def source(kind: str, namespace: str, name: str) -> dict[str, Any]:
        found = catalog.get(f"{kind}:{namespace}/{name}")
        origin = found.source
        return {
            "location": {"id": origin.location_id, "type": origin.location_type, "target": origin.location_target},
            "file": origin.ref,
            "line": origin.line,
            "commit": origin.commit,
            "read_at": origin.read_at,
            "text": records.source_text(found.ref),
            "problems": [_problem(item) for item in records.problems(entity_ref=found.ref).items],
        }

    @api.get(f"{path}/relations", dependencies=READ, summary="The neighbours of an entity")
    def relations(kind: str, namespace: str, name: str, type: Words) -> dict[str, Any]:  # noqa: A002
        found = catalog.get(f"{kind}:{namespace}/{name}")
        items = catalog.related(found.ref, type)
        return {
            "items": [
                {"type": item.type, "targetRef": item.ref, "exists": item.row is not None, "title": _title(item.row)}
                for item in items
            ]
        }

    @api.get(f"{path}/graph", dependencies=READ, summary="Entities around an entity")
    def graph(
        kind: str,
        namespace: str,
        name: str,
        type: Words,  # noqa: A002  the word on the wire
        depth: Annotated[int, Query(ge=1, le=5)] = 1,
    ) -> dict[str, Any]:
        found = catalog.graph(catalog.get(f"{kind}:{namespace}/{name}").ref, depth=depth, types=type)
        return {
            "root": found.root,
            "nodes": [{"ref": ref, "depth": found.depth[ref], "exists": ref in found.rows} for ref in found.refs],
            "edges": [{"source": e.source, "type": e.type, "target": e.target} for e in found.edges],
            "hidden": found.hidden,
        }

    @api.get(f"{path}/history", dependencies=READ, summary="Changes of an entity, newest first")
    def history(
        kind: str, namespace: str, name: str, cursor: str | None = None, limit: int | None = None
    ) -> dict[str, Any]:
        page = records.history(f"{kind}:{namespace}/{name}", cursor=cursor, limit=limit)
        return _page(page, [_change(item) for item in page.items])

    @api.post(f"{path}/refresh", summary="Read the source of an entity again now", status_code=200)
    def refresh(
        principal: Annotated[Principal, permit("catalog.entity.refresh")], kind: str, namespace: str, name: str
    ) -> dict[str, Any]:
        found = records.refresh(principal, f"{kind}:{namespace}/{name}")
        ref = f"{kind}:{namespace}/{name}".lower()
        return {"ref": ref, "exists": found is not None, "etag": found.etag if found else None}

    @api.put(f"{path}/star", summary="Star an entity", status_code=204)
    def star(
        principal: Annotated[Principal, permit("catalog.entity.star")], kind: str, namespace: str, name: str
    ) -> None:
        stars.star(principal, catalog.get(f"{kind}:{namespace}/{name}").ref)

    @api.delete(f"{path}/star", summary="Take the star away", status_code=204)
    def unstar(
        principal: Annotated[Principal, permit("catalog.entity.star")], kind: str, namespace: str, name: str
    ) -> None:
        stars.unstar(principal, f"{kind}:{namespace}/{name}")


def _at(records: RecordService, ref: str, at: datetime) -> Response:
    found, change = records.at(ref, at if at.tzinfo else at.replace(tzinfo=UTC))
    if found is None:
        raise NotFound("catalog.not_at_that_moment", f"At {at.isoformat()} the catalog did not hold {ref}.")
    headers = {"Flagstone-Changed-At": change.at.isoformat()} if change else {}
    return Response(json.dumps(found, separators=(",", ":")), media_type=_JSON, headers=headers)


def _locations(api: APIRouter, locations: LocationService) -> None:

    @api.get("/locations", dependencies=READ_LOCATIONS, summary="A page of locations")
    def page(origin: Words, state: Words, cursor: str | None = None, limit: int | None = None) -> dict[str, Any]:
        found = locations.list(origins=origin, states=state, cursor=cursor, limit=limit)
        return _page(found, [_location(item) for item in found.items])

    @api.post("/locations", summary="Register a location, or only look at what it would bring", status_code=201)
    def register(
        principal: Annotated[Principal, permit("catalog.location.create")],
        body: LocationBody,
        response: Response,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        if dry_run:
            response.status_code = 200
            return _preview(locations.preview(principal, body.type, body.target))
        return _location(locations.register(principal, body.type, body.target))

    @api.get("/locations/{location_id}", dependencies=READ_LOCATIONS, summary="One location")
    def one(location_id: str) -> dict[str, Any]:
        return _location(locations.get(location_id))

    @api.delete("/locations/{location_id}", summary="Unregister a location with its entities")
    def unregister(
        principal: Annotated[Principal, permit("catalog.location.delete")], location_id: str
    ) -> dict[str, Any]:
        return {"removed_entities": locations.unregister(principal, location_id)}

    @api.post("/locations/{location_id}/refresh", summary="Read a location again now")
    def refresh(principal: Annotated[Principal, permit("catalog.entity.refresh")], location_id: str) -> dict[str, Any]:
        return _report(locations.refresh(principal, location_id))

    @api.post("/locations/{location_id}/approve", summary="Agree to the deletions that are held")
    def approve(
        principal: Annotated[Principal, permit("catalog.location.delete")], location_id: str, body: ApprovalBody
    ) -> dict[str, Any]:
        return _location(locations.approve(principal, location_id, body.digest))


def _problems(api: APIRouter, records: RecordService) -> None:
    @api.get("/catalog-problems", dependencies=READ_LOCATIONS, summary="A page of problems, newest first")
    def problems(entity: str | None = None, cursor: str | None = None, limit: int | None = None) -> dict[str, Any]:
        page = records.problems(entity_ref=entity, cursor=cursor, limit=limit)
        return _page(page, [_problem(item) for item in page.items])


def parse_filter(text: str) -> FilterTerms:
    """``key=value,other`` -> terms, by the catalog API's grammar. Raises Invalid (``catalog.bad_filter``)."""
    if not text:
        raise Invalid("catalog.bad_filter", "An empty filter means nothing.", hint="Leave the parameter out.")
    terms: list[tuple[str, str | None]] = []
    for statement in text.split(","):
        key, equals, value = statement.partition("=")
        if not key.strip():
            if equals:
                raise Invalid("catalog.bad_filter", f"The filter {text!r:.100} has a value without a key.")
            continue
        terms.append((key.strip(), value.strip() if equals else None))
    return tuple(terms)


def _refs(values: list[str], kind: str) -> list[str]:
    return [value if ":" in value else f"{kind}:{value if '/' in value else f'default/{value}'}" for value in values]


def _sort(text: str) -> dict[str, Any]:
    name = text.removeprefix("-")
    if name not in SORT_FIELDS:
        hint = f"Use one of {', '.join(SORT_FIELDS)}, with - for descending."
        problem = Problem(f"cannot sort by {name!r:.50}", field="sort", hint=hint)
        raise Invalid("catalog.bad_sort", "The list cannot be sorted like this.", problems=[problem])
    return {"sort": name, "descending": text.startswith("-")}


def _title(row: Any) -> str | None:
    return row.title if row is not None else None


def _page(page: Page[Any], items: list[Any]) -> dict[str, Any]:
    return {"items": items, "next_cursor": page.next_cursor, "total": page.total}


def _location(item: Location) -> dict[str, Any]:
    held = item.held
    return {
        "id": item.id,
        "type": item.type,
        "target": item.target,
        "origin": item.origin,
        "state": item.state,
        "entities": item.entities,
        "commit": item.commit,
        "read_at": item.read_at,
        "next_read_at": item.next_read_at,
        "error": item.error,
        "hint": item.hint,
        "held": None
        if held is None
        else {"digest": held.digest, "count": held.count, "total": held.total, "sample": held.sample},
        "created_at": item.created_at,
        "created_by": item.created_by,
    }


def _problem(item: CatalogProblem) -> dict[str, Any]:
    return {
        "id": item.id,
        "code": item.code,
        "level": item.level,
        "message": item.message,
        "hint": item.hint,
        "file": item.file,
        "line": item.line,
        "field": item.field,
        "entity_ref": item.entity_ref,
        "location": item.location,
        "location_id": item.location_id,
        "action": item.action,
        "at": item.at,
    }


def _change(item: Change) -> dict[str, Any]:
    return {
        "id": item.id,
        "change": item.change,
        "at": item.at,
        "actor": item.actor,
        "actor_name": item.actor_name,
        "commit": item.commit,
        "source": item.source,
        "fields": item.fields,
        "before": item.before,
        "after": item.after,
    }


def _preview(preview: Preview) -> dict[str, Any]:
    return {
        "type": preview.type,
        "target": preview.target,
        "exists": preview.exists,
        "truncated": preview.truncated,
        "locations": preview.locations,
        "entities": [
            {
                "ref": item.ref,
                "kind": item.kind,
                "title": item.title,
                "owner": item.owner or None,
                "outcome": item.outcome,
                "file": item.file,
                "line": item.line,
            }
            for item in preview.entities
        ],
        "problems": [problem.as_dict() for problem in preview.problems],
    }


def _report(report: Report) -> dict[str, Any]:
    return {
        "created": report.created,
        "changed": report.changed,
        "removed": report.removed,
        "problems": report.problems,
        "held": report.held is not None,
        "unchanged": report.unchanged,
    }
