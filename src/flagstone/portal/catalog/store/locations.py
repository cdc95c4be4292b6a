"""Locations: what is read, when next, what came of it, and which location led to which."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import (
    delete,
    insert,
    literal,
    or_,
    select,
    update,
)

from flagstone.kernel.ids import new_id
from flagstone.portal.catalog.model import Location, LocationOrigin
from flagstone.portal.catalog.store import origins
from flagstone.portal.catalog.store.location_reading import LocationReader
from flagstone.portal.catalog.store.reading import chunks
from flagstone.portal.catalog.store.tables import entities, files, location_links, locations, problems
from flagstone.toolkit.db import insert_ignore


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

    def claim(self, location: Location, until: datetime) -> bool:
        """Put the next read off, so that no other process takes it too; False when another one was quicker."""
        where = (locations.c.id == location.id, locations.c.next_read_at == location.next_read_at)
        with self._db.write() as conn:
            return conn.execute(update(locations).where(*where).values(next_read_at=until)).rowcount == 1

    def mark_due(
        self,
        now: datetime,
        *,
        ids: Collection[str] = (),
        type_: str | None = None,
        prefixes: Collection[str] = (),
        forget: bool = False,
    ) -> int:
        """Have locations read again now; ``forget`` drops the version: even an unchanged source is read whole."""
        where = locations.c.id.in_(list(ids)) if type_ is None else locations.c.type == type_
        if type_ is not None and prefixes:
            below = [locations.c.target.startswith(prefix, autoescape=True) for prefix in prefixes]
            where = where & or_(locations.c.target.in_([prefix.rstrip("/?") for prefix in prefixes]), *below)
        values: dict[str, Any] = {"next_read_at": now}
        if forget:
            values["version"] = None
        with self._db.write() as conn:
            return int(conn.execute(update(locations).where(where).values(values)).rowcount)

    def finish(self, id_: str, values: dict[str, Any]) -> None:
        """Write what came of a read, and that it has been read once more."""
        with self._db.write() as conn:
            conn.execute(
                update(locations).where(locations.c.id == id_).values(generation=locations.c.generation + 1, **values)
            )

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

    def link(self, parent_id: str, child_ids: Collection[str]) -> None:
        """Set the children of a location."""
        with self._db.write() as conn:
            conn.execute(delete(location_links).where(location_links.c.parent_id == parent_id))
            if child_ids:
                rows = [{"parent_id": parent_id, "child_id": child} for child in sorted(child_ids)]
                conn.execute(insert(location_links), rows)

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
