"""The whole catalog at another moment, and what changed between two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flagstone.kernel.errors import Invalid
from flagstone.kernel.paging import Page, clamp_limit, decode_cursor, encode_cursor
from flagstone.portal.catalog.service.actors import Actors
from flagstone.portal.catalog.service.records import differences
from flagstone.portal.catalog.store import MomentStore


@dataclass(frozen=True, slots=True)
class Became:
    """What became of an entity. ``change``: ``added``, ``changed``, ``removed``, or ``came and went``."""

    ref: str
    change: str
    fields: tuple[str, ...]
    """Dotted paths that differ."""
    at: datetime
    actor: str
    commit: str | None
    changes: int
    """How many changes it took."""
    actor_name: str = ""
    """The actor in words."""


class MomentService:
    """Answers come in order of the refs, paged by cursor."""

    def __init__(self, store: MomentStore, actors: Actors | None = None) -> None:
        self._store = store
        self._actors = actors or Actors()

    def at(
        self, moment: datetime, *, kind: str = "", text: str = "", cursor: str | None = None, limit: int | None = None
    ) -> Page[tuple[str, str]]:
        """(ref, document as JSON text) of every entity that there was."""
        size = clamp_limit(limit)
        after = str(decode_cursor(cursor)[0]) if cursor else ""
        found = self._store.page(_utc(moment), kind=kind, text=text, after=after, limit=size + 1)
        following = encode_cursor(found[size - 1][0]) if len(found) > size else None
        return Page(tuple(found[:size]), following)

    def count(self, moment: datetime, *, kind: str = "", text: str = "") -> int:
        """How many there were."""
        return self._store.count(_utc(moment), kind=kind, text=text)

    def between(
        self, start: datetime, end: datetime, *, kind: str = "", cursor: str | None = None, limit: int | None = None
    ) -> Page[Became]:
        """What became of everything that changed in that time. Raises Invalid when it ends before it begins."""
        start, end = _utc(start), _utc(end)
        if end < start:
            raise Invalid("catalog.bad_moment", "The second moment is before the first.", hint="Exchange them.")
        size = clamp_limit(limit)
        after = str(decode_cursor(cursor)[0]) if cursor else ""
        found = self._store.between(start, end, kind=kind, after=after, limit=size + 1)
        items = tuple(
            Became(
                item.ref,
                _word(item.before, item.after),
                differences(item.before, item.after),
                item.at,
                item.actor,
                item.commit,
                item.changes,
                self._actors.name(item.actor),
            )
            for item in found[:size]
        )
        return Page(items, encode_cursor(found[size - 1].ref) if len(found) > size else None)


def moment_of(text: str) -> datetime:
    """A moment of an address: ISO 8601, in UTC when it names no zone. Raises Invalid (``catalog.bad_moment``)."""
    try:
        # A plus sign in an address is a space when nobody encoded it.
        found = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
    except ValueError as error:
        hint = "Write it as 2026-03-01T12:00:00Z."
        raise Invalid("catalog.bad_moment", f"{text!r:.60} is not a moment.", hint=hint) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _word(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    if before is None:
        return "added" if after is not None else "came and went"
    return "changed" if after is not None else "removed"


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
