"""What is kept beside the entities: problems, history, stars."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, bindparam, delete, func, insert, or_, select

from flagstone.kernel.paging import Page, clamp_limit, decode_cursor, encode_cursor
from flagstone.portal.catalog.model import CatalogProblem, Change
from flagstone.portal.catalog.store.reading import chunks
from flagstone.portal.catalog.store.tables import documents, entities, history, locations, problems, stars
from flagstone.toolkit.db import PortalDatabase, among, insert_ignore

# Every page of an entity asks these, so they are made once.
_PROBLEMS = (
    select(problems, locations.c.type, locations.c.target)
    .select_from(problems.outerjoin(locations, locations.c.id == problems.c.location_id))
    .order_by(problems.c.id.desc())
    .limit(bindparam("number"))
)
_PROBLEMS_OF = _PROBLEMS.where(problems.c.entity_ref == bindparam("ref"))
_STARRED = select(stars.c.ref).where(
    stars.c.user_id == bindparam("user"), stars.c.ref.in_(bindparam("refs", expanding=True))
)


class RecordStore:
    """Problems, history, stars."""

    def __init__(self, db: PortalDatabase) -> None:
        self._db = db

    def replace_problems(
        self, location_id: str, rows: Sequence[dict[str, Any]], *, only_files: Collection[str] | None = None
    ) -> set[str]:
        """Set the problems of a location. Returns the refs of entities that had problems before or have some now.

        With ``only_files`` those of its other files stay.
        """
        of = problems.c.location_id == location_id
        if only_files is not None:
            of = and_(of, or_(problems.c.file.is_(None), problems.c.file.in_(list(only_files))))
        with self._db.write() as conn:
            touched = set(
                conn.execute(select(problems.c.entity_ref).where(of, problems.c.entity_ref.is_not(None))).scalars()
            )
            conn.execute(delete(problems).where(of))
            if rows:
                conn.execute(insert(problems), list(rows))
        return {str(ref) for ref in touched} | {str(row["entity_ref"]) for row in rows if row.get("entity_ref")}

    def troubled(self, location_ids: Collection[str]) -> set[str]:
        """Those of some locations that have problems."""
        found: set[str] = set()
        with self._db.read() as conn:
            for part in chunks(sorted(location_ids)):
                where = among(conn, problems.c.location_id, part)
                found |= set(conn.execute(select(problems.c.location_id).where(where).distinct()).scalars())
        return found

    def put_problem(self, row: dict[str, Any]) -> None:
        """Add a problem of a location in the place of the one with the same code; the others stay."""
        with self._db.write() as conn:
            where = (problems.c.location_id == row["location_id"], problems.c.code == row["code"])
            conn.execute(delete(problems).where(*where))
            conn.execute(insert(problems), row)

    def forget_problem(self, id_: str) -> bool:
        """Remove one problem; whether it was there."""
        with self._db.write() as conn:
            return conn.execute(delete(problems).where(problems.c.id == id_)).rowcount > 0

    def drop_problem(self, location_id: str, code: str) -> None:
        """Remove the problem of a location with a code; none is fine."""
        with self._db.write() as conn:
            conn.execute(delete(problems).where(problems.c.location_id == location_id, problems.c.code == code))

    def problems(
        self,
        *,
        location_ids: Collection[str] = (),
        entity_ref: str | None = None,
        codes: Collection[str] = (),
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[CatalogProblem]:
        """A page of problems, newest first."""
        size, values = clamp_limit(limit), {}
        statement = _PROBLEMS if entity_ref is None else _PROBLEMS_OF
        if entity_ref is not None:
            values["ref"] = entity_ref
        if location_ids:
            statement = statement.where(problems.c.location_id.in_(list(location_ids)))
        if codes:
            statement = statement.where(problems.c.code.in_(list(codes)))
        if cursor is not None:
            statement = statement.where(problems.c.id < str(decode_cursor(cursor)[0]))
        with self._db.read() as conn:
            rows = conn.execute(statement, {**values, "number": size + 1}).all()
        found = tuple(_problem(row) for row in rows[:size])
        return Page(found, encode_cursor(found[-1].id) if len(rows) > size else None)

    def count_problems(self) -> int:
        """How many problems there are."""
        with self._db.read() as conn:
            return int(conn.execute(select(func.count()).select_from(problems)).scalar_one())

    def waiting_for(self, refs: Collection[str]) -> set[str]:
        """Locations whose documents lost one of these refs to another location."""
        with self._db.read() as conn:
            where = (problems.c.code == "catalog.conflict", problems.c.entity_ref.in_(list(refs)))
            return set(conn.execute(select(problems.c.location_id).where(*where)).scalars())

    def history(self, ref: str, *, cursor: str | None = None, limit: int | None = None) -> Page[Change]:
        """Changes of an entity, newest first, each with what it was before and after."""
        size = clamp_limit(limit)
        statement = select(history).where(history.c.ref == ref).order_by(history.c.id.desc()).limit(size + 1)
        later = None
        if cursor is not None:
            before = int(str(decode_cursor(cursor)[0]))
            statement = statement.where(history.c.id < before)
            later = select(history.c.before).where(history.c.id == before)
        current = (
            select(documents.c.body)
            .select_from(documents.join(entities, entities.c.id == documents.c.entity_id))
            .where(entities.c.ref == ref)
        )
        with self._db.read() as conn:
            rows = conn.execute(statement).all()
            after = conn.execute(later if later is not None else current).scalar()
        found: list[Change] = []
        for row in rows[:size]:
            found.append(_change(row, None if row.change == "deleted" else after))
            after = row.before
        return Page(tuple(found), encode_cursor(found[-1].id) if len(rows) > size else None)

    def star(self, user_id: str, ref: str, at: datetime) -> None:
        """Star an entity; twice is once."""
        with self._db.write() as conn:
            insert_ignore(conn, stars, {"user_id": user_id, "ref": ref, "at": at}, key=["user_id", "ref"])

    def unstar(self, user_id: str, ref: str) -> None:
        """Take a star away; none is fine."""
        with self._db.write() as conn:
            conn.execute(delete(stars).where(stars.c.user_id == user_id, stars.c.ref == ref))

    def starred(self, user_id: str, refs: Collection[str]) -> set[str]:
        """Which of the refs a user has starred."""
        with self._db.read() as conn:
            return set(conn.execute(_STARRED, {"user": user_id, "refs": list(refs)}).scalars())


def _problem(row: Row[Any]) -> CatalogProblem:
    return CatalogProblem(
        id=row.id,
        location_id=row.location_id,
        location=f"{row.type}:{row.target}" if row.type else "",
        code=row.code,
        message=row.message,
        hint=row.hint,
        file=row.file,
        line=row.line,
        field=row.field,
        entity_ref=row.entity_ref,
        level=row.level,
        at=row.at,
        action=row.action,
    )


def _change(row: Row[Any], after: str | None) -> Change:
    return Change(
        id=row.id,
        ref=row.ref,
        change=row.change,
        at=row.at,
        actor=row.actor,
        commit=row.commit,
        source=row.source,
        before=json.loads(row.before) if row.before else None,
        after=json.loads(after) if after else None,
    )
