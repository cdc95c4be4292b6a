"""What the OpenAPI document says of each route."""

from __future__ import annotations

from typing import Any

_NAME = ("kind", "namespace", "name")


def _operation(
    summary: str, status: int = 200, *, query: tuple[str, ...] = (), path: tuple[str, ...] = (), body: bool = False
) -> dict[str, Any]:
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in path] + [
        {"name": name, "in": "query", "required": False, "schema": _SCHEMAS.get(name, {"type": "string"})}
        for name in query
    ]
    told: dict[str, Any] = {"summary": summary, "parameters": parameters, "responses": _responses(status)}
    if body:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    return told


def _responses(status: int) -> dict[str, Any]:
    return {str(status): {"description": "Done"}, "default": {"description": "An error, with its name"}}


_TEXTS = {"type": "array", "items": {"type": "string"}}
_NUMBER = {"type": "integer", "minimum": 0}
_SCHEMAS: dict[str, dict[str, Any]] = {
    "filter": _TEXTS,
    "order": _TEXTS,
    "facet": _TEXTS,
    "orderField": _TEXTS,
    "limit": _NUMBER,
    "offset": _NUMBER,
    "totalItems": {"type": "string", "enum": ["include", "exclude"]},
    "dryRun": {"type": "string", "enum": ["true", "false"]},
    "onConflict": {"type": "string", "enum": ["refresh", "reject"]},
}
_BY_QUERY = ("filter", "fields", "limit", "offset", "orderField", "cursor", "totalItems")

DESCRIPTIONS: dict[str, dict[str, Any]] = {
    "GET /entities": _operation(
        "All entities, or a page of them", query=("filter", "fields", "order", "limit", "offset", "after")
    ),
    "GET /entities/by-query": _operation(
        "A page of entities with cursors", query=(*_BY_QUERY, "fullTextFilterTerm", "fullTextFilterFields")
    ),
    "POST /entities/by-query": _operation("A page of entities by predicate", body=True),
    "POST /entities/by-refs": _operation("Entities by ref, in order", query=("filter",), body=True),
    "GET /entities/by-name/{kind}/{namespace}/{name}": _operation("One entity", path=_NAME),
    "GET /entities/by-name/{kind}/{namespace}/{name}/ancestry": _operation("What leads to an entity", path=_NAME),
    "GET /entities/by-uid/{uid}": _operation("One entity", path=("uid",)),
    "DELETE /entities/by-uid/{uid}": _operation("Delete an entity", 204, path=("uid",)),
    "GET /entity-facets": _operation("Values of fields, with counts", query=("facet", "filter")),
    "POST /entity-facets": _operation("Values of fields, with counts, by predicate", body=True),
    "GET /locations": _operation("Registered locations"),
    "POST /locations": _operation("Register a location", 201, query=("dryRun", "onConflict"), body=True),
    "POST /locations/by-query": _operation("A page of locations by predicate", body=True),
    "GET /locations/by-entity/{kind}/{namespace}/{name}": _operation("The location of an entity", path=_NAME),
    "GET /locations/{location_id}": _operation("One location", path=("location_id",)),
    "PUT /locations/{location_id}": _operation("Read a location from elsewhere", path=("location_id",), body=True),
    "DELETE /locations/{location_id}": _operation("Unregister a location", 204, path=("location_id",)),
    "GET /entities/unprocessed/failed": _operation("Documents that did not become entities, with what is wrong"),
    "GET /entities/unprocessed/pending": _operation("Locations that were not read yet"),
    "DELETE /entities/unprocessed/delete/{entity_id}": _operation(
        "Forget what is wrong until the next read", 204, path=("entity_id",)
    ),
    "POST /refresh": _operation("Read an entity's source again soon", body=True),
    "POST /analyze-location": _operation("What is at an address", body=True),
    "POST /validate-entity": _operation("Validate an entity", body=True),
    "GET /openapi.json": _operation("This document"),
}
