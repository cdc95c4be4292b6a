"""From checked parameters to JSON texts. Documents are spliced in as they are stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flagstone.portal.catalog.api.backstage.fields import parse_fields, project
from flagstone.portal.catalog.api.backstage.parameters import Body, Parameters, bad
from flagstone.portal.catalog.model.cursors import Cursor, Question, decode, decode_cursor, encode, malformed
from flagstone.portal.catalog.model.predicates import Predicate
from flagstone.portal.catalog.service.backstage import BackstageLocations, BackstageReads
from flagstone.portal.catalog.service.backstage.reads import selection_of

_PAGE = 200
_MAX_REFS = 10_000

Text = tuple[str, dict[str, str]]
"""A JSON text and headers."""
Asked = tuple[Question, Cursor | None, int, int, bool, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ListAsked:
    """A question to ``GET /entities``."""

    filters: tuple[str, ...]
    predicate: Predicate
    order: tuple[tuple[str, bool], ...]
    fields: tuple[str, ...]
    limit: int | None
    offset: int
    paged: bool
    raw_order: tuple[str, ...]


class Answers:
    """Says what was asked. Raises Invalid for questions that make no sense."""

    def __init__(self, reads: BackstageReads, locations: BackstageLocations) -> None:
        self._reads = reads
        self._locations = locations

    @staticmethod
    def list_of(query_string: bytes) -> ListAsked:
        """The question in a query string."""
        asked = Parameters(query_string, ("filter", "fields", "order", "limit", "offset", "after"))
        limit, offset = asked.integer("limit"), asked.integer("offset")
        if limit == 0:
            raise bad("Invalid limit, must be greater than zero")
        after = asked.one("after")
        if after is not None:
            place = decode(after, "after")
            kept = place.get("limit", limit), place.get("offset", 0)
            if any(type(part) is not int and part is not None for part in kept) or (kept[1] or 0) < 0 or kept[0] == 0:
                raise malformed("after")
            limit, offset = limit or kept[0], kept[1]
        filters = asked.all("filter")
        order = tuple(_order(text) for text in asked.all("order"))
        paged = limit is not None or offset is not None
        fields = parse_fields(asked.all("fields"))
        return ListAsked(filters, selection_of(filters), order, fields, limit, offset or 0, paged, asked.all("order"))

    def batches(self, asked: ListAsked) -> Iterator[list[str]]:
        """Documents in batches, lazily."""
        found = self._reads.listed(asked.predicate, asked.order, paged=False)
        return (project(batch, asked.fields) for batch in found)

    def listed(self, asked: ListAsked) -> Text:
        """A page of a list, with the link to the next one."""
        more = None if asked.limit is None else asked.limit + 1
        batches = self._reads.listed(asked.predicate, asked.order, paged=True, limit=more, offset=asked.offset)
        bodies = [body for batch in batches for body in batch]
        headers = {}
        if asked.limit is not None and len(bodies) > asked.limit:
            bodies = bodies[: asked.limit]
            after = encode({"limit": asked.limit, "offset": asked.offset + asked.limit})
            query = [("limit", str(asked.limit)), *(("filter", text) for text in asked.filters)]
            query += [("order", text) for text in asked.raw_order]
            query += [("fields", ",".join(asked.fields))] if asked.fields else []
            headers = {"link": f'</entities?{urlencode([*query, ("after", after)])}>; rel="next"'}
        return f"[{','.join(project(bodies, asked.fields))}]", headers

    @staticmethod
    def query_of(query_string: bytes) -> Asked:
        """The question of ``GET /entities/by-query``."""
        known = ("filter", "fields", "limit", "offset", "orderField", "cursor", "totalItems")
        asked = Parameters(query_string, (*known, "fullTextFilterTerm", "fullTextFilterFields"))
        limit, offset = asked.integer("limit"), asked.integer("offset")
        counted = asked.one("totalItems", ("include", "exclude")) != "exclude"
        fields, cursor = parse_fields(asked.all("fields")), asked.one("cursor")
        limit = _PAGE if limit is None else limit
        if cursor is not None:
            place = decode_cursor(cursor)
            return place.question, place, limit, 0, counted, fields
        term, order = asked.one("fullTextFilterTerm"), asked.first("orderField")
        question = Question(
            filters=asked.all("filter"),
            order=None if order is None else _order_field(order),
            term=term.strip() if term else None,
            term_fields=tuple(
                field.strip()
                for text in asked.all("fullTextFilterFields")
                for field in text.split(",")
                if field.strip()
            ),
        )
        return question, None, limit, offset or 0, counted, fields

    @staticmethod
    def query_in(body: Body) -> Asked:
        """The question of ``POST /entities/by-query``."""
        limit, offset, cursor = body.integer("limit"), body.integer("offset"), body.text("cursor")
        total = body.text("totalItems")
        if total not in (None, "include", "exclude"):
            raise bad("request/body/totalItems must be equal to one of the allowed values: include, exclude")
        fields, limit = parse_fields(body.texts("fields")), _PAGE if limit is None else limit
        if cursor is not None:
            place = decode_cursor(cursor)
            return place.question, place, limit, 0, total != "exclude", fields
        query = body.values.get("query")
        if query is not None:
            selection_of((), query)
        term, term_fields = _full_text(body)
        question = Question(
            query=json.dumps({} if query is None else query, separators=(",", ":")),
            order=_order_by(body.values.get("orderBy")),
            term=term,
            term_fields=term_fields,
        )
        return question, None, limit, offset or 0, total != "exclude", fields

    def queried(
        self,
        question: Question,
        cursor: Cursor | None,
        limit: int,
        offset: int,
        counted: bool,
        fields: tuple[str, ...],
    ) -> Text:
        """A page with its cursors."""
        page = self._reads.query(question, limit=limit, offset=offset, cursor=cursor, counted=counted)
        info = {"nextCursor": page.next_cursor, "prevCursor": page.previous_cursor}
        told = json.dumps({key: value for key, value in info.items() if value is not None})
        items = ",".join(project(page.bodies, fields))
        return f'{{"items":[{items}],"totalItems":{page.total},"pageInfo":{told}}}', {}

    def by_refs(self, query_string: bytes, body: Body) -> Text:
        """Entities by ref, in order."""
        asked = Parameters(query_string, ("filter",))
        refs, fields = body.texts("entityRefs", needed=True), parse_fields(body.texts("fields"))
        if len(refs) > _MAX_REFS:
            raise bad(f"request/body/entityRefs must NOT have more than {_MAX_REFS} items")
        predicate = selection_of(asked.all("filter"), body.values.get("query"))
        found = self._reads.by_refs(refs, predicate)
        if fields:
            found = [None if item is None else project([item], fields)[0] for item in found]
        items = ",".join(["null" if item is None else item for item in found])
        return f'{{"items":[{items}]}}', {}

    def facets(self, query_string: bytes) -> Text:
        """``GET /entity-facets``."""
        asked = Parameters(query_string, ("facet", "filter"))
        return self._facets(asked.all("facet"), selection_of(asked.all("filter")))

    def facets_in(self, body: Body) -> Text:
        """``POST /entity-facets``."""
        return self._facets(body.texts("facets"), selection_of((), body.values.get("query")))

    def _facets(self, keys: tuple[str, ...], predicate: Predicate) -> Text:
        if not keys:
            raise bad("Missing or empty facets parameter")
        found = self._reads.facets(keys, predicate)
        told = {key: [{"value": value, "count": count} for value, count in values] for key, values in found.items()}
        return json.dumps({"facets": told}, separators=(",", ":"), ensure_ascii=False), {}

    def ancestry(self, ref: str) -> str:
        """An entity and what leads to it."""
        root, items = self._locations.ancestry(ref)
        told = ",".join(
            f'{{"entity":{item.entity.text},"parentEntityRefs":{json.dumps(item.parents)}}}' for item in items
        )
        return f'{{"rootEntityRef":{json.dumps(root)},"items":[{told}]}}'


def _order(text: str) -> tuple[str, bool]:
    direction, _, field = text.partition(":")
    if direction not in ("asc", "desc") or not field:
        raise bad(f"Invalid order parameter '{text:.100}', must be 'asc:<field>' or 'desc:<field>'")
    return field, direction == "desc"


def _order_field(text: str) -> tuple[str, bool]:
    field, _, direction = (part.strip() for part in text.partition(","))
    if not field or direction not in ("", "asc", "desc"):
        raise bad(f"Invalid order field '{text:.100}', must be '<field>,asc' or '<field>,desc'")
    return field, direction == "desc"


def _order_by(value: Any) -> tuple[str, bool] | None:
    if value is None or value == []:
        return None
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise bad("request/body/orderBy must be array")
    for item in value:
        if (
            not isinstance(item.get("field"), str)
            or not item["field"]
            or item.get("order", "asc") not in ("asc", "desc")
        ):
            raise bad("request/body/orderBy must have a field, and an order that is asc or desc")
    return value[0]["field"], value[0].get("order") == "desc"


def _full_text(body: Body) -> tuple[str | None, tuple[str, ...]]:
    value = body.values.get("fullTextFilter")
    if value is None:
        return None, ()
    if not isinstance(value, dict) or not isinstance(value.get("term", ""), str):
        raise bad("request/body/fullTextFilter must have a term")
    fields = value.get("fields") or []
    if not isinstance(fields, list) or not all(isinstance(item, str) for item in fields):
        raise bad("request/body/fullTextFilter/fields must be array of strings")
    return value.get("term") or None, tuple(fields)
