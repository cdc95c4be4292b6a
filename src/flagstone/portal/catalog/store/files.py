"""Which files were read whole and right, so that the same ones need not be read again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select

from flagstone.portal.catalog.store.reading import chunks
from flagstone.portal.catalog.store.tables import entities, files
from flagstone.toolkit.db import PortalDatabase, among, among_pairs, upsert


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file as it was read."""

    path: str
    stamp: str
    digest: str
    entities: int


Known = tuple[dict[str, FileRecord], dict[str, int]]
"""Records by path, and how many entities are stored from each path."""


class FileStore:
    """Files of locations. Changes join the current transaction."""

    def __init__(self, db: PortalDatabase) -> None:
        self._db = db

    def of(self, location_ids: Collection[str]) -> dict[str, Known]:
        """What is known of the files of some locations, by location."""
        found: dict[str, Known] = {id_: ({}, {}) for id_ in location_ids}
        place, path = entities.c.location_id, entities.c.source_path
        with self._db.read() as conn:
            for part in chunks(sorted(location_ids)):
                for row in conn.execute(select(files).where(among(conn, files.c.location_id, part))):
                    found[row.location_id][0][row.path] = FileRecord(row.path, row.stamp, row.digest, row.entities)
                counted = select(place, path, func.count()).where(among(conn, place, part)).group_by(place, path)
                for id_, name, number in conn.execute(counted):
                    found[id_][1][name] = number
        return found

    def put(self, records: Sequence[tuple[str, FileRecord]]) -> None:
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

    def forget(self, paths: Collection[tuple[str, str]]) -> None:
        """Forget files, given by location and path: they are read again next time."""
        with self._db.write() as conn:
            for part in chunks(sorted(paths)):
                conn.execute(delete(files).where(among_pairs(conn, files.c.location_id, files.c.path, part)))
