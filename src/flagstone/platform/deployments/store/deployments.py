"""Deployments in the database: what is wanted, what was last seen, and who holds the rollout lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import (
    Integer,
    Select,
    and_,
    bindparam,
    cast,
    delete,
    extract,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.sql.elements import ColumnElement

from flagstone.contracts.gateway import DeploymentQuery
from flagstone.kernel.errors import Conflict
from flagstone.kernel.paging import Page, clamp_limit, decode_cursor, encode_cursor
from flagstone.platform.deployments.model import Deployment
from flagstone.platform.deployments.store.tables import deployments
from flagstone.toolkit.db import Database, insert_ignore

_HIDDEN = ("holder_until",)
_COLUMNS = [column for column in deployments.c if column.name not in _HIDDEN]
_FIELDS = tuple(item.name for item in fields(Deployment))
# What every page of an entity asks; making the statement would cost as much as asking it.
_OF_ENTITY = (
    select(*_COLUMNS)
    .where(deployments.c.entity_ref == bindparam("ref"))
    .order_by(deployments.c.workload, deployments.c.environment, deployments.c.id)
    .limit(bindparam("number"))
)


class DeploymentStore:
    """Reads and writes deployments."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def get(self, deployment_id: str) -> Deployment | None:
        """One deployment."""
        with self.db.read() as conn:
            row = conn.execute(select(*_COLUMNS).where(deployments.c.id == deployment_id)).mappings().first()
        return _deployment(row) if row else None

    def list(self, query: DeploymentQuery) -> Page[Deployment]:
        """A page of deployments by workload, then environment."""
        size = clamp_limit(query.limit)
        if query.entity_ref and query == DeploymentQuery(entity_ref=query.entity_ref, limit=query.limit):
            values = {"ref": query.entity_ref.lower(), "number": size + 1}
            with self.db.read() as conn:
                found = [_deployment(row) for row in conn.execute(_OF_ENTITY, values).mappings()]
            return _page(found, size)
        statement = _filtered(query)
        if query.cursor:
            after = tuple(str(value) for value in decode_cursor(query.cursor))
            place = tuple_(deployments.c.workload, deployments.c.environment, deployments.c.id)
            statement = statement.where(place > tuple_(*(literal(value) for value in after)))
        statement = statement.order_by(deployments.c.workload, deployments.c.environment, deployments.c.id)
        with self.db.read() as conn:
            found = [_deployment(row) for row in conn.execute(statement.limit(size + 1)).mappings()]
        return _page(found, size)

    def wanted(self) -> tuple[Deployment, ...]:
        """Every deployment that should run and has a release to run."""
        statement = select(*_COLUMNS).where(
            deployments.c.desired == "running", deployments.c.current_release_id.is_not(None)
        )
        with self.db.read() as conn:
            return tuple(_deployment(row) for row in conn.execute(statement.order_by(deployments.c.id)).mappings())

    def abandoned(self) -> tuple[Deployment, ...]:
        """Deployments whose lock is held by somebody who has shown no sign of life for longer than the lease."""
        statement = select(*_COLUMNS).where(
            deployments.c.holder.is_not(None), deployments.c.holder_until < self._epoch()
        )
        with self.db.read() as conn:
            return tuple(_deployment(row) for row in conn.execute(statement).mappings())

    def counts(self) -> dict[str, int]:
        """How many deployments each environment has."""
        statement = select(deployments.c.environment, func.count()).group_by(deployments.c.environment)
        with self.db.read() as conn:
            return {row[0]: int(row[1]) for row in conn.execute(statement)}

    def releases_in_use(self, repository: str, workload: str, *, without: str = "") -> frozenset[str]:
        """Ids of the releases that some deployment of a workload (but ``without``) runs or may go back to."""
        statement = select(deployments.c.current_release_id, deployments.c.previous_release_id).where(
            deployments.c.repository == repository, deployments.c.workload == workload, deployments.c.id != without
        )
        with self.db.read() as conn:
            return frozenset(value for row in conn.execute(statement) for value in row if value)

    def is_used(self, url: str, *, without: str) -> bool:
        """Whether a deployment other than ``without`` has this address."""
        statement = select(func.count()).where(deployments.c.url == url, deployments.c.id != without)
        with self.db.read() as conn:
            return bool(conn.execute(statement).scalar())

    def create(self, deployment: Deployment) -> None:
        """Insert a deployment unless it is there already."""
        row = {name: getattr(deployment, name) for name in _FIELDS} | {"last_log": list(deployment.last_log)}
        with self.db.write() as conn:
            insert_ignore(conn, deployments, {**row, "holder_until": None}, key=["entity_ref", "environment"])

    def acquire(self, deployment_id: str, *, holder: str, holder_name: str, lease: int) -> int | None:
        """Take the rollout lock for ``lease`` seconds: the new fence, or None when somebody else holds it.

        A holder that comes again (its process was killed) gets it at once. Leases are in the database's time.
        """
        free = or_(
            deployments.c.holder.is_(None),
            deployments.c.holder == holder,
            deployments.c.holder_until < self._epoch(),
        )
        statement = (
            update(deployments)
            .where(deployments.c.id == deployment_id, free)
            .values(
                holder=holder,
                holder_name=holder_name,
                holder_until=self._epoch() + lease,
                fence=deployments.c.fence + 1,
            )
        )
        with self.db.write() as conn:
            if conn.execute(statement).rowcount != 1:
                return None
            return int(conn.execute(select(deployments.c.fence).where(deployments.c.id == deployment_id)).scalar_one())

    def renew(self, deployment_id: str, fence: int, *, lease: int) -> bool:
        """Hold the lock for longer; False when it is lost."""
        statement = update(deployments).where(deployments.c.id == deployment_id, deployments.c.fence == fence)
        statement = statement.where(deployments.c.holder.is_not(None)).values(holder_until=self._epoch() + lease)
        with self.db.write() as conn:
            return conn.execute(statement).rowcount == 1

    def release(self, deployment_id: str, fence: int) -> None:
        """Give the lock back; nothing happens when it is lost already."""
        statement = update(deployments).where(deployments.c.id == deployment_id, deployments.c.fence == fence)
        with self.db.write() as conn:
            conn.execute(statement.values(holder=None, holder_name="", holder_until=None))

    def change(self, deployment_id: str, fence: int, values: Mapping[str, Any]) -> None:
        """Write what a rollout came to. Raises Conflict when its lock has gone to somebody else."""
        statement = update(deployments).where(deployments.c.id == deployment_id, deployments.c.fence == fence)
        with self.db.write() as conn:
            if conn.execute(statement.values(**_storable(values))).rowcount != 1:
                raise Conflict(
                    "deployments.lock_lost",
                    f"The deployment {deployment_id} was taken over by another rollout.",
                    hint="Look at its history; nothing was recorded for this one.",
                )

    def observe(self, deployment_id: str, fence: int, values: Mapping[str, Any]) -> bool:
        """Write what the runtime reports, unless a rollout has begun since ``fence`` was read."""
        statement = update(deployments).where(
            deployments.c.id == deployment_id, deployments.c.fence == fence, deployments.c.holder.is_(None)
        )
        with self.db.write() as conn:
            return conn.execute(statement.values(**_storable(values))).rowcount == 1

    def delete(self, deployment_id: str, fence: int) -> None:
        """Delete the row of a deployment that is gone."""
        with self.db.write() as conn:
            conn.execute(delete(deployments).where(deployments.c.id == deployment_id, deployments.c.fence == fence))

    def _epoch(self) -> ColumnElement[int]:
        if self.db.is_sqlite:
            return cast(func.unixepoch(), Integer)
        return cast(extract("epoch", text("clock_timestamp()")), Integer)


def _page(found: Sequence[Deployment], size: int) -> Page[Deployment]:
    last = found[size - 1] if len(found) > size else None
    more = encode_cursor(last.workload, last.environment, last.id) if last else None
    return Page(tuple(found[:size]), more)


def _filtered(query: DeploymentQuery) -> Select[Any]:
    wanted: list[ColumnElement[bool]] = []
    if query.entity_ref:
        wanted.append(deployments.c.entity_ref == query.entity_ref.lower())
    if query.owners:
        wanted.append(deployments.c.owner.in_([owner.lower() for owner in query.owners]))
    if query.environment:
        wanted.append(deployments.c.environment == query.environment)
    if query.state:
        wanted.append(deployments.c.state.in_(query.state))
    return select(*_COLUMNS).where(and_(True, *wanted))


def _storable(values: Mapping[str, Any]) -> dict[str, Any]:
    row = dict(values)
    if "last_log" in row:
        row["last_log"] = list(row["last_log"])
    return row


def _deployment(row: Any) -> Deployment:
    values = dict(row)
    values["last_log"] = tuple(values["last_log"])
    return Deployment(**values)
