"""How statements of text reach the database: over a connection that the thread keeps, else over one of the pool.

What is asked for stands here, too. Does not belong here: any question.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy.exc import DBAPIError

from flagstone.portal.catalog.model.cursors import Position
from flagstone.portal.catalog.model.predicates import EVERYTHING, Predicate
from flagstone.portal.catalog.store.predicates import Sql
from flagstone.toolkit.db import PortalDatabase

BATCH = 500
"""Values in one statement."""
REVISION = "SELECT value FROM catalog_cursors WHERE name = 'revision'"
_CACHE_KB = 8_000
_PLANS = {True: "SET plan_cache_mode = force_generic_plan", False: "SET plan_cache_mode = auto"}
_PARTS = "catalog_search_parts"
"""PostgreSQL's index of three letters, where it could be made (see the migration)."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entities, in which order. Keys are lower case."""

    predicate: Predicate = EVERYTHING
    order: str | None = None
    descending: bool = False
    term: str | None = None
    term_keys: tuple[str, ...] = ()
    displayed: bool = True
    """Whether any of them may have a displayed name (see :meth:`FacetReader.displaying`)."""


@dataclass(frozen=True, slots=True)
class Found:
    """An entity of a page: its place in the order, its document."""

    value: str | None
    id: int
    body: str

    @property
    def position(self) -> Position:
        """For a cursor."""
        return (self.value, self.id)


@dataclass(frozen=True, slots=True)
class Places:
    """The places of a page's entities in the order, with their refs; how many there are in all; at which revision."""

    rows: list[tuple[str | None, int, str]]
    total: int
    revision: int


class Asking:
    """The connections. Knows nothing of principals: everybody who may read entities may read all of them today."""

    def __init__(self, db: PortalDatabase) -> None:
        self._db = db
        self.far = not db.is_sqlite
        """Whether each statement is a round trip to a server."""
        self._own = threading.local()

    @cached_property
    def indexed(self) -> bool:
        """Whether parts of names are found through an index: on PostgreSQL only where it has ``pg_trgm``."""
        if not self.far:
            return True
        found = self._rows("SELECT to_regclass(%s) IS NOT NULL", (_PARTS,))
        return bool(found[0][0])

    @contextmanager
    def at(self, revision: int) -> Iterator[None]:
        """In this block :meth:`revision` answers the calling thread without asking."""
        self._own.taken = revision
        try:
            yield
        finally:
            self._own.taken = None

    def adopt(self) -> None:
        """Give the calling thread a connection of its own: for the thread that answers short reads itself."""
        if getattr(self._own, "driver", None) is not None:
            return
        try:
            pooled = self._db.engine.raw_connection()
        except DBAPIError:
            return  # the next read says so, as any other does
        driver: Any = pooled.driver_connection
        if self.far:
            # It must not come back to the pool when the thread ends: what it is told here is for reading only.
            pooled.detach()
            driver.autocommit = True
        else:
            driver.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        self._own.pooled, self._own.driver, self._own.seen, self._own.planned_once = pooled, driver, None, False

    def revision(self) -> int:
        """How often the catalog has changed."""
        taken: int | None = getattr(self._own, "taken", None)
        if taken is not None:
            return taken
        driver = getattr(self._own, "driver", None)
        if driver is None or self.far:
            found = self._rows(REVISION, ())
            return int(found[0][0]) if found else 0
        # SQLite tells for next to nothing whether anybody has written at all.
        version = driver.execute("PRAGMA data_version").fetchone()[0]
        if self._own.seen is None or self._own.seen[0] != version:
            row = driver.execute(REVISION).fetchone()
            self._own.seen = (version, int(row[0]) if row else 0)
        return int(self._own.seen[1])

    def _sql(self, *, walk: bool = False) -> Sql:
        return Sql(postgresql=self.far, walk=walk)

    def _run(self, sql: Sql, statement: str, *, planned_once: bool = False) -> Sequence[Any]:
        """``planned_once``: PostgreSQL needs no other plan for other values, and planning takes as long as asking."""
        return self._rows(sql.text(statement), tuple(sql.values), planned_once=planned_once)

    def _rows(self, statement: str, values: tuple[object, ...], *, planned_once: bool | None = None) -> Sequence[Any]:
        driver = getattr(self._own, "driver", None)
        if driver is not None:
            try:
                if planned_once is not None and self.far and self._own.planned_once != planned_once:
                    driver.execute(_PLANS[planned_once])
                    self._own.planned_once = planned_once
                found: Sequence[Any] = driver.execute(statement, values).fetchall()
            except Exception:
                if not (self.far and driver.closed):
                    raise
                # The server has ended the connection. Whether it can be reached again, an ordinary read tells.
                self._own.pooled.invalidate()
                self._own.driver = None
            else:
                return found
        with self._db.read() as conn:
            return conn.exec_driver_sql(statement, values).fetchall()
