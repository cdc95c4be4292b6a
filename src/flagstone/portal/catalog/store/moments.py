"""The whole catalog as it was: what each entity was before its first later change, else what it is."""

from __future__ import annotations

import heapq
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select

from flagstone.portal.catalog.store.tables import documents, entities, history
from flagstone.toolkit.db import PortalDatabase


@dataclass(frozen=True, slots=True)
class Net:
    """What became of an entity between two moments; None where it was not there."""

    ref: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    last: int
    at: datetime
    actor: str
    commit: str | None
    changes: int


class MomentStore:
    """Reads the history across all entities, in order of their refs."""

    def __init__(self, db: PortalDatabase) -> None:
        self._db = db

    def page(self, at: datetime, *, kind: str, text: str, after: str, limit: int) -> list[tuple[str, str]]:
        """(ref, document) of what there was at a moment, after a ref."""
        unchanged = _narrowed(
            select(entities.c.ref, documents.c.body)
            .select_from(entities.join(documents, documents.c.entity_id == entities.c.id))
            .where(*_still(at)),
            entities.c.ref,
            kind,
            text,
        )
        later = _later(at)
        changed = _narrowed(
            select(history.c.ref, history.c.before)
            .select_from(history.join(later, later.c.id == history.c.id))
            .where(history.c.before.is_not(None)),
            history.c.ref,
            kind,
            text,
        )
        parts: list[list[tuple[str, str]]] = []
        with self._db.read() as conn:
            for statement, ref in ((unchanged, entities.c.ref), (changed, history.c.ref)):
                rows = conn.execute(statement.where(ref > after).order_by(ref).limit(limit)).all()
                parts.append([(row[0], row[1]) for row in rows])
        return list(heapq.merge(*parts))[:limit]

    def count(self, at: datetime, *, kind: str, text: str) -> int:
        """How many there were."""
        unchanged = select(func.count()).select_from(entities).where(*_still(at))
        later = _later(at)
        changed = (
            select(func.count())
            .select_from(history.join(later, later.c.id == history.c.id))
            .where(history.c.before.is_not(None))
        )
        with self._db.read() as conn:
            first = conn.execute(_narrowed(unchanged, entities.c.ref, kind, text)).scalar_one()
            second = conn.execute(_narrowed(changed, history.c.ref, kind, text)).scalar_one()
        return int(first) + int(second)

    def between(self, start: datetime, end: datetime, *, kind: str, after: str, limit: int) -> list[Net]:
        """What became of each entity that changed after ``start`` and not after ``end``."""
        first, last = func.min(history.c.id).label("first"), func.max(history.c.id).label("last")
        changed = (
            _narrowed(select(history.c.ref, first, last, func.count().label("number")), history.c.ref, kind, "")
            .where(history.c.at > start, history.c.at <= end, history.c.ref > after)
            .group_by(history.c.ref)
            .order_by(history.c.ref)
            .limit(limit)
        )
        with self._db.read() as conn:
            rows = conn.execute(changed).all()
            refs = [row.ref for row in rows]
            wanted = [number for row in rows for number in (row.first, row.last)]
            known = {row.id: row for row in conn.execute(select(history).where(history.c.id.in_(wanted))).all()}
            later = _later(end, refs)
            following = select(history.c.ref, history.c.before).select_from(
                history.join(later, later.c.id == history.c.id)
            )
            then = {row.ref: row.before for row in conn.execute(following).all()}
            current = (
                select(entities.c.ref, documents.c.body)
                .select_from(entities.join(documents, documents.c.entity_id == entities.c.id))
                .where(entities.c.ref.in_([ref for ref in refs if ref not in then]))
            )
            now = {row.ref: row.body for row in conn.execute(current).all()}
        return [_net(row, known, then if row.ref in then else now) for row in rows]


def _net(row: Any, known: Mapping[int, Any], states: Mapping[str, str | None]) -> Net:
    last = known[row.last]
    before, after = known[row.first].before, states.get(row.ref)
    return Net(
        ref=row.ref,
        before=json.loads(before) if before else None,
        after=json.loads(after) if after else None,
        last=row.last,
        at=last.at,
        actor=last.actor,
        commit=last.commit,
        changes=row.number,
    )


def _still(at: datetime) -> tuple[ColumnElement[bool], ...]:
    """What is now as it was then; what stands for registered locations has no history, and is left out."""
    later = select(history.c.id).where(history.c.ref == entities.c.ref, history.c.at > at).exists()
    return ~later, entities.c.sort_name + "" >= " ", entities.c.created_at <= at


def _later(at: datetime, refs: Sequence[str] | None = None) -> Any:
    """The id of the first change of each entity after a moment."""
    statement = select(history.c.ref, func.min(history.c.id).label("id")).where(history.c.at > at)
    if refs is not None:
        statement = statement.where(history.c.ref.in_(list(refs)))
    return statement.group_by(history.c.ref).subquery()


def _narrowed(statement: Select[Any], ref: ColumnElement[str], kind: str, text: str) -> Select[Any]:
    if kind:
        # The character after the colon: everything of one kind lies between.
        statement = statement.where(and_(ref >= f"{kind.lower()}:", ref < f"{kind.lower()};"))
    if text:
        statement = statement.where(ref.contains(text.lower(), autoescape=True))
    return statement
