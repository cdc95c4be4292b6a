"""Resources in the database: what was asked for, what came of it, and who holds a resource's lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    and_,
    cast,
    extract,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
    update,
)

from flagstone.contracts.resources import ALIVE, ResourceQuery
from flagstone.kernel.errors import Conflict, Invalid
from flagstone.kernel.paging import Page, clamp_limit, decode_cursor, encode_cursor
from flagstone.platform.resources.model import Resource
from flagstone.toolkit.db import Database, JsonText, UtcDateTime, insert_ignore

metadata = MetaData()

resources = Table(
    "resources_resources",
    metadata,
    Column("id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("resource_class", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("entity_ref", Text),
    Column("environment", Text, nullable=False),
    Column("owner", Text),
    Column("definition", Text, nullable=False),
    Column("driver", Text, nullable=False),
    Column("config", JsonText, nullable=False),
    Column("state", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("params", JsonText, nullable=False),
    Column("outputs", JsonText, nullable=False),
    Column("secret_names", JsonText, nullable=False),
    Column("monthly_cost", Text),
    Column("currency", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("made", Boolean, nullable=False),
    Column("made_key", Text, nullable=False),
    Column("removed_key", Text, nullable=False),
    Column("removed", JsonText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("last_run_id", Text),
    Column("holder", Text),
    Column("holder_name", Text, nullable=False),
    Column("holder_until", Integer),
    Column("fence", Integer, nullable=False),
    # That there is one of a class and name in a place is what the id says, which is made of them.
    Index("resources_resources_place", "entity_ref", "environment", "type", "name"),
    Index("resources_resources_environment", "environment", "type", "name"),
    Index("resources_resources_owner", "owner", "type", "name"),
    Index("resources_resources_definition", "definition", "state"),
)

_HIDDEN = ("holder", "holder_name", "holder_until")
_COLUMNS = [column for column in resources.c if column.name not in _HIDDEN]
_FIELDS = tuple(item.name for item in fields(Resource))


class ResourceStore:
    """Reads and writes resources."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def get(self, uid: str) -> Resource | None:
        """One resource, also a removed one."""
        with self.db.read() as conn:
            row = conn.execute(select(*_COLUMNS).where(resources.c.id == uid)).mappings().first()
        return _resource(row) if row else None

    def list(self, query: ResourceQuery) -> Page[Resource]:
        """A page by component, environment, type, name; those of no component come first."""
        size = clamp_limit(query.limit)
        component = func.coalesce(resources.c.entity_ref, "")
        order = (component, resources.c.environment, resources.c.type, resources.c.name, resources.c.id)
        statement = select(*_COLUMNS).where(and_(True, *_filters(query)))
        if query.cursor:
            after = [literal(str(value)) for value in decode_cursor(query.cursor)]
            if len(after) != len(order):
                raise Invalid("resources.bad_cursor", "The cursor is none of this list.", hint="Begin without one.")
            statement = statement.where(tuple_(*order) > tuple_(*after))
        with self.db.read() as conn:
            rows = conn.execute(statement.order_by(*order).limit(size + 1)).mappings()
            found = [_resource(row) for row in rows]
        last = found[size - 1] if len(found) > size else None
        more = None
        if last is not None:
            more = encode_cursor(last.entity_ref or "", last.environment, last.type, last.name, last.id)
        return Page(tuple(found[:size]), more)

    def counts(self) -> dict[str, int]:
        """How many resources there are by definition, removed ones left out."""
        statement = select(resources.c.definition, func.count()).where(resources.c.state.in_(ALIVE))
        with self.db.read() as conn:
            return {row[0]: int(row[1]) for row in conn.execute(statement.group_by(resources.c.definition))}

    def create(self, resource: Resource) -> bool:
        """Insert a resource unless one of its id is there; whether it was inserted."""
        row = _storable({name: getattr(resource, name) for name in _FIELDS})
        held = {"holder": None, "holder_name": "", "holder_until": None}
        with self.db.write() as conn:
            return insert_ignore(conn, resources, {**row, **held}, key=["id"]) == 1

    def acquire(self, uid: str, *, holder: str, holder_name: str, lease: int) -> int | None:
        """Take the lock for ``lease`` seconds: the new fence, or None when somebody else holds it.

        A holder that comes again (its process was killed) gets it at once. Leases are in the database's time.
        """
        now = self._epoch()
        free = or_(resources.c.holder.is_(None), resources.c.holder == holder, resources.c.holder_until < now)
        values = {
            "holder": holder,
            "holder_name": holder_name,
            "holder_until": now + lease,
            "fence": resources.c.fence + 1,
        }
        with self.db.write() as conn:
            if conn.execute(update(resources).where(resources.c.id == uid, free).values(**values)).rowcount != 1:
                return None
            return int(conn.execute(select(resources.c.fence).where(resources.c.id == uid)).scalar_one())

    def holder(self, uid: str) -> str:
        """Who holds the lock, in words."""
        with self.db.read() as conn:
            return str(conn.execute(select(resources.c.holder_name).where(resources.c.id == uid)).scalar() or "")

    def renew(self, uid: str, fence: int, *, lease: int) -> bool:
        """Hold the lock for longer; False when it is lost."""
        mine = (resources.c.id == uid, resources.c.fence == fence, resources.c.holder.is_not(None))
        with self.db.write() as conn:
            return conn.execute(update(resources).where(*mine).values(holder_until=self._epoch() + lease)).rowcount == 1

    def release(self, uid: str, fence: int) -> None:
        """Give the lock back; nothing happens when it is lost already."""
        statement = update(resources).where(resources.c.id == uid, resources.c.fence == fence)
        with self.db.write() as conn:
            conn.execute(statement.values(holder=None, holder_name="", holder_until=None))

    def change(self, uid: str, fence: int, values: Mapping[str, Any]) -> None:
        """Write what came of it. Raises Conflict when the lock has gone to somebody else."""
        statement = update(resources).where(resources.c.id == uid, resources.c.fence == fence)
        with self.db.write() as conn:
            if conn.execute(statement.values(**_storable(values))).rowcount != 1:
                raise Conflict(
                    "resources.lock_lost",
                    f"The resource {uid} was taken over by another step.",
                    hint="Look at what it is now; nothing was recorded for this step.",
                )

    def _epoch(self) -> ColumnElement[int]:
        if self.db.is_sqlite:
            return cast(func.unixepoch(), Integer)
        return cast(extract("epoch", text("clock_timestamp()")), Integer)


def _filters(query: ResourceQuery) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [resources.c.state.in_(query.state or ALIVE)]
    if query.entity_ref:
        found.append(resources.c.entity_ref == query.entity_ref.lower())
    if query.environment:
        found.append(resources.c.environment == query.environment)
    if query.type:
        found.append(resources.c.type == query.type)
    if query.owners:
        found.append(resources.c.owner.in_([owner.lower() for owner in query.owners]))
    return found


def _storable(values: Mapping[str, Any]) -> dict[str, Any]:
    row = dict(values)
    for name in ("secret_names", "removed"):
        if name in row:
            row[name] = list(row[name])
    if row.get("monthly_cost") is not None:
        row["monthly_cost"] = str(row["monthly_cost"])
    return row


def _resource(row: Any) -> Resource:
    values = dict(row)
    for name in ("secret_names", "removed"):
        values[name] = tuple(values[name])
    cost = values["monthly_cost"]
    return Resource(**{**values, "monthly_cost": Decimal(cost) if cost is not None else None})
