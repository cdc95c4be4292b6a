"""Releases in the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from flagstone.kernel.errors import Temporary
from flagstone.kernel.paging import Page, clamp_limit, decode_cursor, encode_cursor
from flagstone.platform.deployments.model import Release
from flagstone.platform.deployments.store.tables import releases
from flagstone.toolkit.db import Database

_TRIES = 5


class ReleaseStore:
    """Reads and adds releases; nothing ever changes one."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def get(self, release_id: str) -> Release | None:
        """One release."""
        with self.db.read() as conn:
            row = conn.execute(select(releases).where(releases.c.id == release_id)).mappings().first()
        return _release(row) if row else None

    def find(self, repository: str, commit: str, workload_name: str) -> Release | None:
        """The release of a commit."""
        query = select(releases).where(
            releases.c.repository == repository,
            releases.c.commit_id == commit,
            releases.c.workload_name == workload_name,
        )
        with self.db.read() as conn:
            row = conn.execute(query).mappings().first()
        return _release(row) if row else None

    def by_number(self, repository: str, workload_name: str, number: int) -> Release | None:
        """The release ``r<number>`` of a workload."""
        query = select(releases).where(
            releases.c.repository == repository,
            releases.c.workload_name == workload_name,
            releases.c.number == number,
        )
        with self.db.read() as conn:
            row = conn.execute(query).mappings().first()
        return _release(row) if row else None

    def get_many(self, release_ids: Sequence[str]) -> dict[str, Release]:
        """Releases by id; unknown ids are left out."""
        if not release_ids:
            return {}
        with self.db.read() as conn:
            rows = conn.execute(select(releases).where(releases.c.id.in_(set(release_ids)))).mappings()
            return {row["id"]: _release(row) for row in rows}

    def add(self, release: Release) -> Release:
        """Add a release under the next number of its workload, or return the one that its commit has already."""
        for _ in range(_TRIES):
            found = self.find(release.repository, release.commit, release.workload_name)
            if found is not None:
                return found
            try:
                with self.db.write() as conn:
                    row = _row(release)
                    row["number"] = self.next_number(release.repository, release.workload_name)
                    conn.execute(insert(releases), row)
            except IntegrityError:
                # Somebody else took the number, or added the release of this very commit, between reading and writing.
                continue
            return _release(row)
        raise Temporary(
            "deployments.busy",
            f"Too many releases of {release.workload_name} are made at the same moment.",
            hint="Try again.",
        )

    def next_number(self, repository: str, workload_name: str) -> int:
        """The number that the next release of a workload gets."""
        query = select(func.max(releases.c.number)).where(
            releases.c.repository == repository, releases.c.workload_name == workload_name
        )
        with self.db.read() as conn:
            return int(conn.execute(query).scalar() or 0) + 1

    def list(self, repository: str, workload_name: str, *, cursor: str | None, limit: int | None) -> Page[Release]:
        """Releases of a workload, newest first."""
        size = clamp_limit(limit)
        query = select(releases).where(releases.c.repository == repository, releases.c.workload_name == workload_name)
        if cursor:
            query = query.where(releases.c.number < int(decode_cursor(cursor)[0] or 0))
        query = query.order_by(releases.c.number.desc()).limit(size + 1)
        with self.db.read() as conn:
            found = [_release(row) for row in conn.execute(query).mappings()]
        more = encode_cursor(found[size - 1].number) if len(found) > size else None
        return Page(tuple(found[:size]), more)


def _row(release: Release) -> dict[str, Any]:
    return {
        "id": release.id,
        "repository": release.repository,
        "commit_id": release.commit,
        "message": release.message,
        "workload_name": release.workload_name,
        "workload": dict(release.workload),
        "digest": release.digest,
        "number": release.number,
        "created_at": release.created_at,
        "created_by": release.created_by,
    }


def _release(row: Any) -> Release:
    values = dict(row)
    values["commit"] = values.pop("commit_id")
    return Release(**values)
