"""One store of the slice, made of its parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import Connection, select, text, update

from flagstone.portal.catalog.store.backstage import BackstageReader
from flagstone.portal.catalog.store.files import FileStore
from flagstone.portal.catalog.store.leases import Leases
from flagstone.portal.catalog.store.locations import LocationStore
from flagstone.portal.catalog.store.reading import EntityReader, chunks
from flagstone.portal.catalog.store.records import RecordStore
from flagstone.portal.catalog.store.tables import cursors, documents, entities, relations, search
from flagstone.portal.catalog.store.writing import EntityWriter
from flagstone.toolkit.db import PortalDatabase, insert_ignore, upsert

_LOCK = 7_070_071
_REVISION = "revision"
_CACHE_KB = 48_000
_MUCH = "catalog_much"
_CHECKPOINT_PAGES = 32_000
_TIDY = "SELECT gin_clean_pending_list(c) FROM unnest(CAST(:names AS text[])) n, to_regclass(n) c WHERE c IS NOT NULL"


class CatalogStore:
    """``reader``, ``writer``, ``locations`` and ``records`` over one database."""

    def __init__(self, db: PortalDatabase) -> None:
        self.db = db
        self.reader = EntityReader(db)
        self.backstage = BackstageReader(db)
        self.writer = EntityWriter(db)
        self.locations = LocationStore(db)
        self.records = RecordStore(db)
        self.files = FileStore(db)
        self.leases = Leases(db)

    def transaction(self) -> AbstractContextManager[Connection]:
        """A transaction that other calls join."""
        return self.db.write()

    @contextmanager
    def much(self) -> Iterator[Connection]:
        """A transaction that writes much: SQLite gets memory for it, which it gives back, and fewer checkpoints."""
        if not self.db.is_sqlite:
            with self.db.write() as conn:
                yield conn
            return
        with self.db.write() as conn:
            if conn.info.get(_MUCH):
                yield conn
                return
            conn.info[_MUCH] = True
            before = conn.exec_driver_sql("PRAGMA cache_size").scalar_one()
            conn.exec_driver_sql(f"PRAGMA cache_size = -{_CACHE_KB}")
            conn.exec_driver_sql(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            try:
                yield conn
            finally:
                conn.info.pop(_MUCH, None)
                conn.exec_driver_sql(f"PRAGMA cache_size = {before}")

    def lock(self) -> None:
        """Queue up with every other process that ingests; held until the current transaction ends."""
        with self.db.write() as conn:
            if conn.dialect.name == "postgresql":
                conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})

    def analyze(self) -> None:
        """Tell the planner how much there is now: its plans would else be those of an empty catalog."""
        with self.db.write() as conn:
            if conn.dialect.name == "postgresql":
                for table in (entities, search, relations, documents):
                    conn.execute(text(f'ANALYZE "{table.name}"'))
                # What was added to these indices lies in a list that each search reads from end to end.
                conn.execute(text(_TIDY), {"names": ["catalog_words_vector", "catalog_search_parts"]})
            else:
                conn.execute(text("PRAGMA analysis_limit = 1000"))
                conn.execute(text("PRAGMA optimize"))

    def groups_of(self, user_ref: str) -> frozenset[str]:
        """Groups by ``memberOf``, then upwards by ``childOf``.

        A statement for each level: of a recursive one the databases expect too much to look each group up by itself.
        """
        found: set[str] = set()
        frontier, type_ = [user_ref], "memberOf"
        with self.db.read() as conn:
            while frontier:
                above: set[str] = set()
                for part in chunks(frontier):
                    statement = select(relations.c.target_ref).where(
                        relations.c.source_ref.in_(part), relations.c.type == type_
                    )
                    above.update(conn.execute(statement).scalars())
                frontier, type_ = sorted(above - found), "childOf"
                found |= above
        return frozenset(found)

    def revision(self) -> int:
        """How often the catalog has changed."""
        return self.cursor(_REVISION)

    def changed(self) -> None:
        """Count a change."""
        with self.db.write() as conn:
            insert_ignore(conn, cursors, {"name": _REVISION, "value": 0}, key=["name"])
            conn.execute(update(cursors).where(cursors.c.name == _REVISION).values(value=cursors.c.value + 1))

    def cursor(self, name: str) -> int:
        """Where a reader of events has come to."""
        with self.db.read() as conn:
            return int(conn.execute(select(cursors.c.value).where(cursors.c.name == name)).scalar() or 0)

    def set_cursor(self, name: str, value: int) -> None:
        """Remember where a reader of events has come to."""
        with self.db.write() as conn:
            upsert(conn, cursors, {"name": name, "value": value}, key=["name"], update=["value"])
