"""An index of three letters for PostgreSQL, over the names and titles among the search rows, with ``pg_trgm``.

The extension is a trusted one: since PostgreSQL 13 whoever may create things in the database may add it. Where it
cannot be had, names are compared one by one as before; add it later and create the index by hand.
"""

import logging

from alembic import op
from sqlalchemy.exc import DBAPIError

revision = "catalog_0024"
down_revision = "catalog_0023"
branch_labels = None
depends_on = None

log = logging.getLogger("flagstone.catalog")

_CLASS = """SELECT quote_ident(n.nspname) FROM pg_opclass o JOIN pg_namespace n ON n.oid = o.opcnamespace
    WHERE o.opcname = 'gin_trgm_ops'"""
_INDEX = """CREATE INDEX catalog_search_parts ON catalog_search USING gin (value {schema}.gin_trgm_ops)
    WHERE key IN ('metadata.name', 'metadata.title', 'spec.profile.displayname')"""


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    try:
        with connection.begin_nested():
            if connection.exec_driver_sql(_CLASS).first() is None:
                connection.exec_driver_sql("CREATE EXTENSION pg_trgm")
            schema = connection.exec_driver_sql(_CLASS).scalar_one()
            connection.exec_driver_sql(_INDEX.format(schema=schema))
    except DBAPIError as error:
        log.warning("names are searched without an index: pg_trgm cannot be used (%s)", str(error.orig).splitlines()[0])


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.get_bind().exec_driver_sql("DROP INDEX IF EXISTS catalog_search_parts")
