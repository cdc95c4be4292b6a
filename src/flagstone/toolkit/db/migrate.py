"""Migrations: Alembic with one branch per slice and per plugin, in one version table per database.

A fingerprint of all scripts is kept in the database, so that a start with nothing to do costs one query and does not
even import Alembic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from flagstone.toolkit.db.database import Database

_LOCK = 7_070_070
_TABLE = "flagstone_schema"


@dataclass(frozen=True, slots=True)
class MigrationSource:
    """The folder of scripts of one slice. Each script names ``branch_labels = ("<slice>",)`` in its first revision."""

    name: str
    folder: Path


def fingerprint(sources: Sequence[MigrationSource]) -> str:
    """SHA-256 over names and contents of all scripts."""
    digest = hashlib.sha256()
    for source in sorted(sources, key=lambda item: item.name):
        for script in sorted(source.folder.glob("*.py")):
            digest.update(f"{source.name}/{script.name}\0".encode())
            digest.update(script.read_bytes())
    return digest.hexdigest()


def migrate(db: Database, sources: Sequence[MigrationSource]) -> bool:
    """Bring a database to the newest version of every branch. Returns whether anything had to be done.

    Safe to call from several processes at once; interrupted, it goes on where it stopped.
    """
    wanted = fingerprint(sources)
    if db.schema:
        with db.engine.begin() as conn:
            conn.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{db.schema}"'))
    with db.read() as conn:
        if _stored(conn) == wanted:
            return False
    with db.write() as conn:
        if not db.is_sqlite:
            conn.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        if _stored(conn) == wanted:
            return False
        _upgrade(conn, sources)
        conn.execute(
            text("CREATE TABLE IF NOT EXISTS flagstone_schema (id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL)")
        )
        conn.execute(text("DELETE FROM flagstone_schema"))
        conn.execute(text("INSERT INTO flagstone_schema (id, fingerprint) VALUES (1, :value)"), {"value": wanted})
    return True


def _stored(conn: Connection) -> str | None:
    if not inspect(conn).has_table(_TABLE):
        return None
    return conn.execute(text("SELECT fingerprint FROM flagstone_schema")).scalar()


def _upgrade(conn: Connection, sources: Sequence[MigrationSource]) -> None:
    # Alembic costs a quarter of a second to import and is needed only when there is something to migrate.
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    folders = [str(source.folder) for source in sources]
    if not folders:
        return
    script = ScriptDirectory(folders[0], version_locations=folders)

    def steps(revision: Any, _context: object) -> Any:
        return script._upgrade_revs("heads", revision)  # noqa: SLF001  what alembic.command.upgrade does

    with EnvironmentContext(Config(), script, fn=steps, destination_rev="heads") as environment:
        environment.configure(connection=conn, transaction_per_migration=False)
        environment.run_migrations()
