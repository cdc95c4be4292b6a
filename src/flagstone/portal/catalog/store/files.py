"""Which files were read whole and right, so that the same ones need not be read again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select

from flagstone.portal.catalog.store.reading import chunks
from flagstone.portal.catalog.store.tables import entities, files
from flagstone.toolkit.db import PortalDatabase, among, upsert


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file as it was read."""

    path: str
    stamp: str
    digest: str
    entities: int


class FileStore:
    """Files of locations. Changes join the current transaction."""

    def __init__(self, db: PortalDatabase) -> None:
        self._db = db

    def of(self, location_id: str) -> tuple[dict[str, FileRecord], dict[str, int]]:
        """Records by path, and how many entities are stored from each path."""
        counted = (
            select(entities.c.source_path, func.count())
            .where(entities.c.location_id == location_id)
            .group_by(entities.c.source_path)
        )
        statement = select(files.c.path, files.c.stamp, files.c.digest, files.c.entities)
        with self._db.read() as conn:
            rows = conn.execute(statement.where(files.c.location_id == location_id)).all()
            counts = {str(path): int(number) for path, number in conn.execute(counted).all()}
        return {row.path: FileRecord(*row) for row in rows}, counts

    def put(self, location_id: str, records: Sequence[FileRecord]) -> None:
        """Remember files of a location."""
        self.put_many([(location_id, one) for one in records])

    def put_many(self, records: Sequence[tuple[str, FileRecord]]) -> None:
        """Remember files, each with the id of its location."""
        rows = [
            {
                "location_id": location_id,
                "path": one.path,
                "stamp": one.stamp,
                "digest": one.digest,
                "entities": one.entities,
            }
            for location_id, one in records
        ]
        with self._db.write() as conn:
            for part in chunks(rows):
                upsert(conn, files, part, key=["location_id", "path"], update=["stamp", "digest", "entities"])

    def forget(self, location_id: str, paths: Collection[str]) -> None:
        """Forget files: they are read again next time."""
        with self._db.write() as conn:
            for part in chunks(sorted(paths)):
                conn.execute(delete(files).where(files.c.location_id == location_id, among(conn, files.c.path, part)))
