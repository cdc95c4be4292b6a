"""Opens the databases of the rooms and brings their schemas up to date."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from flagstone.app.rooms import Rooms
from flagstone.sdk import Slice
from flagstone.toolkit.db import Database, HomeDatabase, MigrationSource, PlatformDatabase, PortalDatabase, migrate
from flagstone.toolkit.plugins import Container
from flagstone.toolkit.settings.server import DatabaseSettings


def open_databases(deps: Container, rooms: Rooms, data: Path, settings: DatabaseSettings) -> list[Database]:
    """Provide the databases of the rooms; the portal's (else the platform's) is home."""
    found: list[Database] = []
    common = settings.url.get_secret_value()
    if rooms != "platform":
        url = settings.portal_url.get_secret_value() or common or f"sqlite:///{data / 'portal.db'}"
        found.append(PortalDatabase(url, schema="portal", pool_size=settings.pool_size))
    if rooms != "portal":
        url = settings.platform_url.get_secret_value() or common or f"sqlite:///{data / 'platform.db'}"
        found.append(PlatformDatabase(url, schema="platform", pool_size=settings.pool_size))
    for database in found:
        deps.provide(database)
    deps.provide(found[0], as_=HomeDatabase)
    return found


def migrate_all(databases: Iterable[Database], slices: Iterable[Slice]) -> bool:
    """Apply every slice's migrations where its tables live. Returns whether anything had to be done."""
    all_slices = list(slices)
    databases = list(databases)
    # Every database is migrated, whether or not one before it needed it.
    done = [migrate(db, sources_for(db, all_slices, home=db is databases[0])) for db in databases]
    return any(done)


def sources_for(db: Database, slices: Iterable[Slice], *, home: bool) -> list[MigrationSource]:
    """The migration folders that belong into one database."""
    room = "portal" if isinstance(db, PortalDatabase) else "platform"
    return [
        MigrationSource(item.name, item.migrations)
        for item in slices
        if item.migrations is not None
        and (
            item.migrate == "each"
            or (item.migrate == "home" and home)
            or (item.migrate == "room" and item.room == room)
        )
    ]
