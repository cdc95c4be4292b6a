"""One way to both databases: SQLite (WAL) for one process, PostgreSQL for many.

    with db.read() as conn: ...     a connection for reading
    with db.write() as conn: ...    a transaction; a nested ``write`` joins it, so that a change, its event and its
    audit row
                                    are written together or not at all

Dialect differences live here and nowhere else.
"""

from flagstone.toolkit.db.among import among, among_pairs
from flagstone.toolkit.db.claims import NameClaim
from flagstone.toolkit.db.database import Database
from flagstone.toolkit.db.hold import hold
from flagstone.toolkit.db.migrate import MigrationSource, migrate
from flagstone.toolkit.db.order import append_lock
from flagstone.toolkit.db.rooms import HomeDatabase, PlatformDatabase, PortalDatabase
from flagstone.toolkit.db.types import JsonText, UtcDateTime
from flagstone.toolkit.db.upsert import insert_ignore, upsert

__all__ = [
    "Database",
    "HomeDatabase",
    "JsonText",
    "MigrationSource",
    "NameClaim",
    "PlatformDatabase",
    "PortalDatabase",
    "UtcDateTime",
    "among",
    "among_pairs",
    "append_lock",
    "hold",
    "insert_ignore",
    "migrate",
    "upsert",
]
