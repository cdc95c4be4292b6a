"""Cursors of the Backstage API: base64 of JSON with the member names that its clients know.

A cursor carries the whole question, so that the next page needs nothing else. Clients look into it: one with ``query``
is sent back by POST, one with ``filter`` by GET.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flagstone.kernel.errors import Invalid

Position = tuple[str | None, int]
"""Value of the order field (None: there is no order field), and the entity's number."""

_MAX_LENGTH = 200_000


@dataclass(frozen=True, slots=True)
class Question:
    """What a page is a page of. ``filters`` and ``query`` are kept as they were asked."""

    filters: tuple[str, ...] = ()
    query: str | None = None
    """JSON text of the predicate."""
    order: tuple[str, bool] | None = None
    """Field, and whether descending."""
    term: str | None = None
    term_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the answer to a question."""

    question: Question
    position: Position
    first: Position
    previous: bool = False
    total: int | None = None


def encode(value: Mapping[str, Any]) -> str:
    """Standard base64 of JSON."""
    return base64.b64encode(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()).decode()


def decode(text: str, what: str = "cursor") -> dict[str, Any]:
    """Raises Invalid (``catalog.bad_cursor``) for anything that is not base64 of a JSON object."""
    try:
        value = json.loads(base64.b64decode(text[:_MAX_LENGTH], validate=True))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise malformed(what)
    return value


def malformed(what: str = "cursor") -> Invalid:
    """The error for a cursor that this server did not make."""
    return Invalid("catalog.bad_cursor", f"Malformed {what}, could not be parsed")


def encode_cursor(cursor: Cursor) -> str:
    """The text of a cursor."""
    asked = cursor.question
    order = asked.order
    value: dict[str, Any] = {
        "orderFields": [{"field": order[0], "order": "desc" if order[1] else "asc"}] if order else [],
        "orderFieldValues": list(cursor.position),
        "firstSortFieldValues": list(cursor.first),
        "isPrevious": cursor.previous,
    }
    if asked.query is not None:
        value["query"] = json.loads(asked.query)
    if asked.filters:
        value["filter"] = list(asked.filters)
    if asked.term is not None:
        value["fullTextFilter"] = {"term": asked.term, "fields": list(asked.term_fields)}
    if cursor.total is not None:
        value["totalItems"] = cursor.total
    return encode(value)


def decode_cursor(text: str) -> Cursor:
    """The cursor of a text. Raises Invalid (``catalog.bad_cursor``)."""
    value = decode(text)
    try:
        return _cursor(value)
    except (KeyError, TypeError, ValueError, IndexError):
        raise malformed() from None


def _cursor(value: dict[str, Any]) -> Cursor:
    orders, search = value["orderFields"], value.get("fullTextFilter")
    order = (_text(orders[0]["field"]), orders[0]["order"] == "desc") if orders else None
    total = value.get("totalItems")
    if total is not None and type(total) is not int:
        raise TypeError
    question = Question(
        filters=_texts(value.get("filter", [])),
        query=json.dumps(value["query"]) if "query" in value else None,
        order=order,
        term=_text(search["term"]) if search is not None else None,
        term_fields=_texts(search["fields"]) if search is not None else (),
    )
    place = _position(value["orderFieldValues"], order is not None)
    return Cursor(
        question, place, _position(value["firstSortFieldValues"], order is not None), value["isPrevious"] is True, total
    )


def _position(value: Any, ordered: bool) -> Position:
    first, number = value
    if type(number) is not int or abs(number) >= 1 << 63 or isinstance(first, str) is not ordered:
        raise TypeError
    return (first.replace("\0", "\ufffd") if ordered else None, number)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(_text(item) for item in value)
