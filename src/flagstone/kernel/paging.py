"""Cursor pages: the only way a list leaves a service."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Generic, TypeVar

from flagstone.kernel.errors import Invalid

T = TypeVar("T")

DEFAULT_LIMIT = 50
MAX_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A slice of a list. ``next_cursor`` is None on the last page; ``total`` is None when it was not counted."""

    items: tuple[T, ...]
    next_cursor: str | None = None
    total: int | None = None


def encode_cursor(*values: str | float | None) -> str:
    """Pack sort values into an opaque cursor."""
    return base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode()


def decode_cursor(cursor: str) -> list[str | float | None]:
    """Unpack a cursor. Raises Invalid when it was not made by :func:`encode_cursor`."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except ValueError as error:
        raise Invalid("paging.bad_cursor", "The cursor is not one that this server gave out.") from error
    if not isinstance(values, list):
        raise Invalid("paging.bad_cursor", "The cursor is not one that this server gave out.")
    return values


def clamp_limit(limit: int | None) -> int:
    """The page size to use: the default for None, never more than :data:`MAX_LIMIT`."""
    if limit is None:
        return DEFAULT_LIMIT
    if limit < 1:
        raise Invalid("paging.bad_limit", "A page needs a limit of at least 1.")
    return min(limit, MAX_LIMIT)
