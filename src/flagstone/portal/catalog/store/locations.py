"""Locations: what is read, when next, what came of it, and which location led to which."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, literal, or_, select, update

from flagstone.kernel.ids import new_id
from flagstone.portal.catalog.model import Location, LocationOrigin
from flagstone.portal.catalog.store import origins
from flagstone.portal.catalog.store.location_reading import LocationReader
from flagstone.portal.catalog.store.reading import chunks
from flagstone.portal.catalog.store.tables import entities, files, location_links, locations, problems
from flagstone.toolkit.db import among, among_pairs, insert_ignore

Target = tuple[str, str]
"""Type and target of a location."""


class LocationStore(LocationReader):
    """The same, and every change of them. Changes join the current transaction."""

    def add(
        self, type_: str, target: str, *, origin: LocationOrigin, actor: str, now: datetime, presence: str = "required"
    ) -> tuple[Location, bool]:
        """The location of a target, made when it is new; the flag says whether it was.

        A location that so far was only the child of another one becomes one of its own.
        """
        values = {
            "id": new_id(),
            "type": type_,
            "target": target,
            "origin": origin,
            "presence": presence,
            "state": "pending",
            "next_read_at": now,
            "generation": 0,
            "failures": 0,
            "created_at": now,
            "created_by": actor,
        }
        with self._db.write() as conn:
            new = insert_ignore(conn, locations, values, key=["type", "target"]) == 1
            if not new and origin != "child":
                where = (locations.c.type == type_, locations.c.target == target, locations.c.origin == "child")
                new = conn.execute(update(locations).where(*where).values(origin=origin)).rowcount == 1
            found = self.find(type_, target)
            if new and found is not None and origin != "child":
                origins.tell(conn, found.id)
        if found is None:
            raise LookupError(f"{type_}:{target} vanished while it was added")
        return found, new

    def add_children(self, wanted: Mapping[Target, tuple[str, str]], now: datetime) -> dict[Target, str]:
        """Ids of the locations of targets that others lead to; those that are new are made.

        ``wanted``: with each target the presence and who names it.
        """
        with self._db.write() as conn:
            found = _ids_of(conn, wanted)
            missing = sorted(wanted.keys() - found.keys())
            rows = [
                {
                    "id": new_id(),
                    "type": type_,
                    "target": target,
                    "origin": "child",
                    "presence": wanted[type_, target][0],
                    "state": "pending",
                    "next_read_at": now,
                    "generation": 0,
                    "failures": 0,
                    "created_at": now,
                    "created_by": wanted[type_, target][1],
                }
                for type_, target in missing
            ]
            for part in chunks(rows):
                insert_ignore(conn, locations, part, key=["type", "target"])
            if missing:
                found |= _ids_of(conn, missing)
        if len(found) < len(wanted):
            raise LookupError("a location vanished while it was added")
        return found

    def take_due(self, now: datetime, limit: int, put_off: Callable[[], datetime]) -> list[str]:
        """Ids of locations whose time has come, longest waiting first.

        Their next read is put off, each by itself, so that no other process takes them too.
        """
        due = self.next_due()
        if due is None or due > now:
            return []
        statement = (
            select(locations.c.id)
            .where(locations.c.next_read_at <= now)
            .order_by(locations.c.next_read_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        with self._db.write() as conn:
            ids = [str(id_) for id_ in conn.execute(statement).scalars()]
            if ids:
                later = update(locations).where(locations.c.id == bindparam("b_id"))
                rows = [{"b_id": id_, "b_later": put_off()} for id_ in ids]
                conn.execute(later.values(next_read_at=bindparam("b_later")), rows)
        return ids

    def mark_due(
        self,
        now: datetime,
        *,
        ids: Collection[str] = (),
        type_: str | None = None,
        prefixes: Collection[str] = (),
        forget: bool = False,
    ) -> int:
        """Have locations read again now.

        ``forget`` drops the version: even an unchanged source is read whole, and a read under way begins anew.
        """
        where = locations.c.id.in_(list(ids)) if type_ is None else locations.c.type == type_
        if type_ is not None and prefixes:
            below = [locations.c.target.startswith(prefix, autoescape=True) for prefix in prefixes]
            where = where & or_(locations.c.target.in_([prefix.rstrip("/?") for prefix in prefixes]), *below)
        values: dict[str, Any] = {"next_read_at": now}
        if forget:
            values |= {"version": None, "generation": locations.c.generation + 1}
        with self._db.write() as conn:
            # Held in the order in which readers hold them, so that nobody waits for somebody who waits.
            held = conn.execute(select(locations.c.id).where(where).order_by(locations.c.id).with_for_update())
            rows = [str(id_) for id_ in held.scalars()]
            for part in chunks(rows):
                conn.execute(update(locations).where(among(conn, locations.c.id, part)).values(values))
        return len(rows)

    def finish(self, id_: str, values: dict[str, Any]) -> None:
        """Write what came of a read, and that it has been read once more."""
        with self._db.write() as conn:
            conn.execute(
                update(locations).where(locations.c.id == id_).values(generation=locations.c.generation + 1, **values)
            )

    def finish_many(self, values: Mapping[str, dict[str, Any]], *, read: Mapping[str, int] | None = None) -> None:
        """The same for many by id, each with values of its own for the same columns.

        ``read``: how often each had been read; one that was read again since is left alone.
        """
        if not values:
            return
        columns = [locations.c[name] for name in next(iter(values.values()))]
        given = {column.name: bindparam(f"b_{column.name}", type_=column.type) for column in columns}
        statement = update(locations).where(locations.c.id == bindparam("b_id"))
        if read is not None:
            statement = statement.where(locations.c.generation == bindparam("b_generation"))
        rows: list[dict[str, Any]] = [
            {"b_id": id_} | {f"b_{name}": value for name, value in values[id_].items()} for id_ in sorted(values)
        ]
        if read is not None:
            rows = [row | {"b_generation": read[row["b_id"]]} for row in rows]
        with self._db.write() as conn:
            conn.execute(statement.values(generation=locations.c.generation + 1, **given), rows)

    def fail(self, id_: str, *, error: str, hint: str | None, at: datetime) -> None:
        """Note a failure; everything else of the location stays as it was."""
        values = {"state": "failed", "error": error, "hint": hint, "attempted_at": at}
        with self._db.write() as conn:
            statement = update(locations).where(locations.c.id == id_)
            conn.execute(statement.values(failures=locations.c.failures + 1, **values))

    def approve(self, id_: str, digest: str, now: datetime) -> None:
        """Agree to the held deletions with this digest."""
        with self._db.write() as conn:
            statement = update(locations).where(locations.c.id == id_)
            conn.execute(statement.values(approved=digest, next_read_at=now, version=None))

    def link(self, links: Collection[tuple[str, str]]) -> None:
        """Note that locations lead to others, as (from, to); known ones are fine."""
        with self._db.write() as conn:
            for part in chunks(sorted(links)):
                rows = [{"parent_id": parent, "child_id": child} for parent, child in part]
                insert_ignore(conn, location_links, rows, key=["parent_id", "child_id"])

    def unlink(self, parent_id: str, child_ids: Collection[str]) -> None:
        """Note that a location does not lead to some others any more."""
        with self._db.write() as conn:
            for part in chunks(sorted(child_ids)):
                where = (location_links.c.parent_id == parent_id, among(conn, location_links.c.child_id, part))
                conn.execute(delete(location_links).where(*where))

    def delete(self, ids: Collection[str]) -> None:
        """Remove locations, their links and their problems. Their entities must be gone before."""
        with self._db.write() as conn:
            for part in chunks(sorted(ids)):
                conn.execute(delete(locations).where(locations.c.id.in_(part)))
                links = or_(location_links.c.parent_id.in_(part), location_links.c.child_id.in_(part))
                conn.execute(delete(location_links).where(links))
                conn.execute(delete(problems).where(problems.c.location_id.in_(part)))
                conn.execute(delete(files).where(files.c.location_id.in_(part)))
                origins.drop(conn, list(part))

    def tell_origin(self, id_: str) -> None:
        """Bring the Location entity that stands for a location in line with it."""
        with self._db.write() as conn:
            origins.tell(conn, id_)

    def complete_origins(self) -> None:
        """Make the Location entities that are missing: of locations from before there were such entities."""
        known = select(entities.c.location_id).where(entities.c.location_id.startswith(origins.PREFIX))
        with self._db.write() as conn:
            stand_in = (literal(origins.PREFIX) + locations.c.id).not_in(known)
            for id_ in list(
                conn.execute(select(locations.c.id).where(locations.c.origin != "child", stand_in)).scalars()
            ):
                origins.tell(conn, id_)

    def move(self, id_: str, type_: str, target: str, now: datetime) -> None:
        """Have a location read from somewhere else from now on."""
        values = {"type": type_, "target": target, "next_read_at": now, "version": None, "state": "pending"}
        with self._db.write() as conn:
            conn.execute(update(locations).where(locations.c.id == id_).values(values))
            origins.tell(conn, id_)


def _ids_of(conn: Connection, targets: Collection[Target]) -> dict[Target, str]:
    found: dict[Target, str] = {}
    statement = select(locations.c.id, locations.c.type, locations.c.target)
    for part in chunks(sorted(targets)):
        where = among_pairs(conn, locations.c.type, locations.c.target, part)
        found |= {(row.type, row.target): row.id for row in conn.execute(statement.where(where))}
    return found
