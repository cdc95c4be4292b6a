"""What is not as it should be, and what is gone: dangling owners and references, orphans, removed entities, members."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, and_, exists, func, select

from flagstone.kernel.paging import Page, clamp_limit, decode_cursor, encode_cursor
from flagstone.portal.catalog.store.origins import PREFIX
from flagstone.portal.catalog.store.reading import chunks
from flagstone.portal.catalog.store.tables import entities, history, locations, problems, relations
from flagstone.toolkit.db import PortalDatabase


@dataclass(frozen=True, slots=True)
class Removed:
    """An entity that is gone."""

    id: int
    ref: str
    at: datetime
    actor: str
    commit: str | None
    source: str
    """``type:target`` of the location that no longer brings it, or ``unregistered``."""
    actor_name: str = ""
    """The actor in words."""


class InsightStore:
    """Questions over everything; none of them changes anything."""

    def __init__(self, db: PortalDatabase) -> None:
        self._db = db

    def dangling_owners(self, limit: int) -> list[tuple[str, int]]:
        """Owners that are not in the catalog, with how much they own, most first."""
        number = func.count().label("number")
        known = entities.alias("known")
        statement = (
            select(entities.c.owner_ref, number)
            .where(entities.c.owner_ref != "", ~exists().where(known.c.ref == entities.c.owner_ref))
            .group_by(entities.c.owner_ref)
            .order_by(number.desc(), entities.c.owner_ref)
            .limit(limit)
        )
        with self._db.read() as conn:
            return [(row.owner_ref, row.number) for row in conn.execute(statement)]

    def count_dangling(self) -> int:
        """How many declared relations lead nowhere."""
        target = entities.alias("target")
        statement = (
            select(func.count())
            .select_from(
                relations.join(
                    entities, and_(entities.c.ref == relations.c.source_ref, entities.c.id == relations.c.declared_by)
                )
            )
            .where(~exists().where(target.c.ref == relations.c.target_ref))
        )
        with self._db.read() as conn:
            return int(conn.execute(statement).scalar_one())

    def problem_counts(self) -> dict[str, int]:
        """How many problems there are of each code."""
        statement = select(problems.c.code, func.count().label("number")).group_by(problems.c.code)
        with self._db.read() as conn:
            return {row.code: row.number for row in conn.execute(statement)}

    def orphans(self, unreachable: Collection[str], limit: int) -> tuple[list[tuple[str, str]], int]:
        """(ref, location id) of entities whose location is gone or that no registered one leads to, and the number."""
        found: list[tuple[str, str]] = []
        total = 0
        # The entities that stand for registered locations belong to no file.
        gone = and_(
            ~exists().where(locations.c.id == entities.c.location_id), ~entities.c.location_id.startswith(PREFIX)
        )
        with self._db.read() as conn:
            for where in (gone, *(entities.c.location_id.in_(part) for part in chunks(sorted(unreachable)))):
                total += int(conn.execute(select(func.count()).select_from(entities).where(where)).scalar_one())
                rows = conn.execute(select(entities.c.ref, entities.c.location_id).where(where).limit(limit))
                found += [(row.ref, row.location_id) for row in rows]
        return sorted(found)[:limit], total

    def removed(self, since: datetime, *, cursor: str | None = None, limit: int | None = None) -> Page[Removed]:
        """Entities that were removed since a moment and are not there again, the latest first."""
        size = clamp_limit(limit)
        statement = self._removed(since).order_by(history.c.id.desc()).limit(size + 1)
        if cursor is not None:
            statement = statement.where(history.c.id < int(str(decode_cursor(cursor)[0])))
        with self._db.read() as conn:
            rows = conn.execute(statement).all()
        found = tuple(Removed(r.id, r.ref, r.at, r.actor, r.commit, r.source) for r in rows[:size])
        return Page(found, encode_cursor(found[-1].id) if len(rows) > size else None)

    def get_removed(self, ref: str, since: datetime) -> Removed | None:
        """The removal of an entity that is not there again."""
        statement = self._removed(since).where(history.c.ref == ref)
        with self._db.read() as conn:
            row = conn.execute(statement).first()
        return Removed(row.id, row.ref, row.at, row.actor, row.commit, row.source) if row else None

    def count_removed(self, since: datetime) -> int:
        """How many there are."""
        with self._db.read() as conn:
            return int(conn.execute(select(func.count()).select_from(self._removed(since).subquery())).scalar_one())

    @staticmethod
    def _removed(since: datetime) -> Select[tuple[int, str, datetime, str, str | None, str]]:
        later = history.alias("later")
        wanted = (history.c.id, history.c.ref, history.c.at, history.c.actor, history.c.commit, history.c.source)
        return select(*wanted).where(
            history.c.at >= since,
            history.c.change == "deleted",
            ~exists().where(entities.c.ref == history.c.ref),
            ~exists().where(later.c.ref == history.c.ref, later.c.id > history.c.id),
        )

    def members_below(self, group_ref: str, limit: int) -> Sequence[tuple[str, str]]:
        """(user, group) for everybody in a group or in a group below it, once for each of these groups.

        Its own members come first; of the others there are no more than ``limit`` allows, whichever are found soonest:
        putting ten thousand in order to show fifty would take longer than all the rest of a page.
        """
        direct = select(relations.c.target_ref.label("ref")).where(
            relations.c.source_ref == group_ref, relations.c.type == "parentOf"
        )
        below = direct.cte(recursive=True)
        below = below.union(
            select(relations.c.target_ref)
            .join(below, relations.c.source_ref == below.c.ref)
            .where(relations.c.type == "parentOf")
        )
        member = select(relations.c.target_ref, relations.c.source_ref).where(relations.c.type == "hasMember")
        own = member.where(relations.c.source_ref == group_ref).order_by(relations.c.target_ref).limit(limit)
        others = member.where(relations.c.source_ref.in_(select(below.c.ref)))
        with self._db.read() as conn:
            found = dict.fromkeys((row.target_ref, row.source_ref) for row in conn.execute(own))
            if len(found) < limit:
                rows = conn.execute(others.limit(limit - len(found)))
                found |= dict.fromkeys((row.target_ref, row.source_ref) for row in rows)
        return list(found)
