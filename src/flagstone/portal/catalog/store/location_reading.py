"""Reading locations: what is known of them, and which location led to which. Changes are in ``locations``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    and_,
    bindparam,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy import tuple_ as row_of

from flagstone.kernel.paging import Page, clamp_limit, decode_cursor, encode_cursor
from flagstone.portal.catalog.model import Held, Location, LocationOrigin
from flagstone.portal.catalog.model.predicates import All, AnyOf, Has, Not, Predicate, Starts
from flagstone.portal.catalog.store import origins
from flagstone.portal.catalog.store.reading import chunks
from flagstone.portal.catalog.store.tables import entities, location_links, locations
from flagstone.toolkit.db import PortalDatabase, among

_PARENT = (
    select(func.min(location_links.c.parent_id)).where(location_links.c.child_id == locations.c.id).scalar_subquery()
)
_COUNT = select(func.count()).where(entities.c.location_id == locations.c.id).scalar_subquery().label("entities")
_BY_ID = select(locations, _COUNT).where(locations.c.id == bindparam("id"))


class LocationTree:
    """How locations hang together: what led to what."""

    def __init__(self, db: PortalDatabase) -> None:
        self._db = db

    def origin_of(self, id_: str) -> str:
        """``type:target`` of the location of its own that leads to this one."""
        return self.origins_of([id_], {})[id_]

    def origins_of(self, ids: Collection[str], known: dict[str, str]) -> dict[str, str]:
        """The same of many, by id, added to what is ``known`` of others already: siblings share a parent."""
        above: dict[str, str | None] = {}
        names: dict[str, str] = {}
        waiting = set(ids) - known.keys()
        asked = set(waiting)
        with self._db.read() as conn:
            while waiting:
                statement = select(locations.c.id, locations.c.type, locations.c.target, locations.c.origin, _PARENT)
                for part in chunks(sorted(waiting)):
                    for id_, type_, target, origin, parent in conn.execute(
                        statement.where(among(conn, locations.c.id, part))
                    ):
                        names[id_] = f"{type_}:{target}"
                        above[id_] = parent if origin == "child" else None
                waiting = {up for up in above.values() if up is not None} - asked - known.keys()
                asked |= waiting
        for id_ in names.keys() & set(ids):
            known[id_] = _top(id_, above, names, known)
        return known

    def children(self, id_: str) -> set[str]:
        """Ids of the locations that its Location entities name."""
        return self.children_of([id_])[id_]

    def children_of(self, ids: Collection[str]) -> dict[str, set[str]]:
        """The same of many, by id."""
        found: dict[str, set[str]] = {id_: set() for id_ in ids}
        with self._db.read() as conn:
            for part in chunks(sorted(ids)):
                where = among(conn, location_links.c.parent_id, part)
                for link in conn.execute(select(location_links).where(where)):
                    found[link.parent_id].add(link.child_id)
        return found

    def unreachable(
        self, *, without_links: Collection[tuple[str, str]] = (), without: Collection[str] = ()
    ) -> set[str]:
        """Child locations that no location of its own leads to any more, if some links or locations were gone."""
        with self._db.read() as conn:
            rows = conn.execute(select(locations.c.id, locations.c.origin)).all()
            links = conn.execute(select(location_links.c.parent_id, location_links.c.child_id)).all()
        gone = set(without_links)
        following: dict[str, list[str]] = {}
        for link in links:
            if (link.parent_id, link.child_id) not in gone:
                following.setdefault(link.parent_id, []).append(link.child_id)
        reached = {row.id for row in rows if row.origin != "child" and row.id not in without}
        waiting = list(reached)
        while waiting:
            for child in following.get(waiting.pop(), ()):
                if child not in reached:
                    reached.add(child)
                    waiting.append(child)
        return {row.id for row in rows if row.id not in reached and row.id not in without}

    def below(self, id_: str) -> set[str]:
        """A location and all that it leads to."""
        links = (
            select(location_links.c.child_id.label("id")).where(location_links.c.parent_id == id_).cte(recursive=True)
        )
        links = links.union(select(location_links.c.child_id).join(links, location_links.c.parent_id == links.c.id))
        with self._db.read() as conn:
            return {id_, *conn.execute(select(links.c.id)).scalars()}

    def declaring(self, id_: str) -> list[str]:
        """Refs of the Location entities that were read from a location itself."""
        statement = select(entities.c.ref).where(entities.c.location_id == id_, entities.c.kind == "location")
        with self._db.read() as conn:
            return sorted(conn.execute(statement).scalars())

    def naming(self, id_: str) -> list[str]:
        """Refs of the Location entities in the locations that lead to this one."""
        statement = (
            select(entities.c.ref)
            .select_from(entities.join(location_links, location_links.c.parent_id == entities.c.location_id))
            .where(location_links.c.child_id == id_, entities.c.kind == "location")
            .order_by(entities.c.ref)
        )
        with self._db.read() as conn:
            return list(conn.execute(statement).scalars())


class LocationReader(LocationTree):
    """What is known of locations."""

    def find(self, type_: str, target: str) -> Location | None:
        """The location of a target."""
        where = (locations.c.type == type_, locations.c.target == target)
        with self._db.read() as conn:
            row = conn.execute(select(locations, _COUNT).where(*where)).first()
        return _location(row) if row else None

    def get(self, id_: str) -> Location | None:
        """One location by id."""
        with self._db.read() as conn:
            row = conn.execute(_BY_ID, {"id": id_}).first()
        return _location(row) if row else None

    def page(
        self,
        *,
        origins: Collection[str] = (),
        states: Collection[str] = (),
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[Location]:
        """A page of locations by type and target; ``entities`` counts what they lead to, too."""
        size = clamp_limit(limit)
        statement = select(locations, _COUNT).order_by(locations.c.type, locations.c.target).limit(size + 1)
        if origins:
            statement = statement.where(locations.c.origin.in_(list(origins)))
        if states:
            statement = statement.where(locations.c.state.in_(list(states)))
        if cursor is not None:
            type_, target = [str(value) for value in (*decode_cursor(cursor), "", "")][:2]
            statement = statement.where(row_of(locations.c.type, locations.c.target) > row_of(type_, target))
        with self._db.read() as conn:
            rows = conn.execute(statement).all()
        totals = self._totals([row.id for row in rows[:size]])
        found = tuple(replace(_location(row), entities=totals.get(row.id, 0)) for row in rows[:size])
        following = encode_cursor(found[-1].type, found[-1].target) if len(rows) > size else None
        return Page(found, following)

    def _totals(self, ids: Sequence[str]) -> dict[str, int]:
        tree = select(locations.c.id.label("root"), locations.c.id.label("id")).where(locations.c.id.in_(ids))
        known = tree.cte(recursive=True)
        known = known.union(
            select(known.c.root, location_links.c.child_id).join(known, location_links.c.parent_id == known.c.id)
        )
        counted = (
            select(known.c.root, func.count().label("number"))
            .join(entities, entities.c.location_id == known.c.id)
            .group_by(known.c.root)
        )
        with self._db.read() as conn:
            return {row.root: row.number for row in conn.execute(counted)}

    def targets(self, origin: LocationOrigin) -> dict[tuple[str, str], str]:
        """(type, target) -> id of every location of an origin."""
        with self._db.read() as conn:
            rows = conn.execute(
                select(locations.c.id, locations.c.type, locations.c.target).where(locations.c.origin == origin)
            )
            return {(row.type, row.target): row.id for row in rows}

    def next_due(self) -> datetime | None:
        """When the next location is due."""
        with self._db.read() as conn:
            return conn.execute(select(func.min(locations.c.next_read_at))).scalar()

    def count_untried(self, origin: LocationOrigin) -> int:
        """How many locations of an origin, or reached from such, were never read nor failed."""
        where = (locations.c.attempted_at.is_(None), locations.c.origin.in_([origin, "child"]))
        with self._db.read() as conn:
            return int(conn.execute(select(func.count()).select_from(locations).where(*where)).scalar_one())

    def generation(self, id_: str) -> int | None:
        """How often it was read; None when it is gone."""
        with self._db.read() as conn:
            return conn.execute(select(locations.c.generation).where(locations.c.id == id_)).scalar()

    def includes(self, ids: Collection[str]) -> dict[str, list[tuple[str, str, str]]]:
        """(file, path beside it, digest) of what the last reads took in beside the entity files, by location."""
        statement = select(locations.c.id, locations.c.includes).where(locations.c.includes.is_not(None))
        found: dict[str, list[tuple[str, str, str]]] = {}
        with self._db.read() as conn:
            for part in chunks(sorted(ids)):
                for id_, items in conn.execute(statement.where(among(conn, locations.c.id, part))):
                    found[id_] = [(item[0], item[1], item[2]) for item in items or ()]
        return found

    def registered(self, origins_: Collection[str]) -> list[tuple[str, str, str, str]]:
        """(id, type, target, ref of the entity that stands for it) of the locations of some origins, by id."""
        own = literal(origins.PREFIX) + locations.c.id
        statement = (
            select(locations.c.id, locations.c.type, locations.c.target, entities.c.ref)
            .select_from(locations.join(entities, entities.c.location_id == own))
            .where(locations.c.origin.in_(list(origins_)))
            .order_by(locations.c.id)
        )
        with self._db.read() as conn:
            return [(row.id, row.type, row.target, row.ref) for row in conn.execute(statement)]

    def search(
        self, origins_: Collection[str], predicate: Predicate | None, *, after: str, limit: int
    ) -> tuple[int, list[tuple[str, str, str, str]]]:
        """How many locations of some origins match, and those of them after an id, as :meth:`registered` gives them."""
        own = literal(origins.PREFIX) + locations.c.id
        joined = locations.join(entities, entities.c.location_id == own)
        where: list[ColumnElement[bool]] = [locations.c.origin.in_(list(origins_))]
        with self._db.read() as conn:
            if predicate is not None:
                where.append(_matching(predicate, sqlite=conn.dialect.name == "sqlite"))
            total = conn.execute(select(func.count()).select_from(joined).where(*where)).scalar_one()
            statement = (
                select(locations.c.id, locations.c.type, locations.c.target, entities.c.ref)
                .select_from(joined)
                .where(*where, locations.c.id > after)
                .order_by(locations.c.id)
                .limit(limit)
            )
            return int(total), [(row.id, row.type, row.target, row.ref) for row in conn.execute(statement)]

    def stand_in(self, id_: str) -> str | None:
        """The ref of the entity that stands for a location."""
        with self._db.read() as conn:
            statement = select(entities.c.ref).where(entities.c.location_id == origins.PREFIX + id_)
            return conn.execute(statement).scalar()

    def by_ids(self, ids: Collection[str], *, hold: bool = False) -> Sequence[Location]:
        """Locations by id. ``hold``: nobody else changes them until the current transaction ends."""
        found: list[Location] = []
        # Held in one order by everybody, so that nobody waits for somebody who waits.
        statement = select(locations, _COUNT).order_by(locations.c.id)
        if hold:
            statement = statement.with_for_update(of=locations)
        with self._db.read() as conn:
            for part in chunks(sorted(ids)):
                found += [_location(row) for row in conn.execute(statement.where(among(conn, locations.c.id, part)))]
        return found


def _top(id_: str, above: dict[str, str | None], names: dict[str, str], known: dict[str, str]) -> str:
    """The name of the first location of its own above one; of the last before a circle closes, if there is none."""
    seen: set[str] = set()
    while id_ not in known:
        seen.add(id_)
        up = above.get(id_)
        if up is None or up in seen or (up not in names and up not in known):
            return names[id_]
        id_ = up
    return known[id_]


def _location(row: Row[Any]) -> Location:
    held = row.held
    return Location(
        id=row.id,
        type=row.type,
        target=row.target,
        origin=row.origin,
        presence=row.presence,
        state=row.state,
        version=row.version,
        commit=row.commit,
        read_at=row.read_at,
        attempted_at=row.attempted_at,
        next_read_at=row.next_read_at,
        generation=row.generation,
        error=row.error,
        hint=row.hint,
        held=Held(held["digest"], held["count"], held["total"], tuple(held["sample"])) if held else None,
        approved=row.approved,
        created_at=row.created_at,
        created_by=row.created_by,
        entities=row.entities,
    )


def _matching(predicate: Predicate, *, sqlite: bool) -> ColumnElement[bool]:
    """SQL about a location; letter case does not count (on SQLite: that of ASCII letters)."""
    if isinstance(predicate, Not):
        return not_(_matching(predicate.part, sqlite=sqlite))
    if isinstance(predicate, All):
        return and_(true(), *(_matching(part, sqlite=sqlite) for part in predicate.parts))
    if isinstance(predicate, AnyOf):
        return or_(false(), *(_matching(part, sqlite=sqlite) for part in predicate.parts))

    def lowered(text: str) -> str:
        sound = text.replace("\0", "\ufffd")
        return sound.translate(_ASCII_LOWER) if sqlite else sound.lower()

    if isinstance(predicate, Starts):
        prefix = lowered(predicate.prefix)
        return func.substr(func.lower(locations.c[predicate.key]), 1, len(prefix)) == prefix
    assert isinstance(predicate, Has)
    return func.lower(locations.c[predicate.key]).in_([lowered(value) for value in predicate.values or ()])


_ASCII_LOWER = {number: number + 32 for number in range(ord("A"), ord("Z") + 1)}
