"""What lies behind an id that an index of words or of parts found holds names and titles as well."""

from alembic import op

revision = "catalog_0026"
down_revision = "catalog_0025"
branch_labels = None
depends_on = None

_INDEX, _TABLE = "catalog_entities_found", "catalog_entities"
_COLUMNS = ["id", "kind", "type", "lifecycle", "owner_ref", "sort_name", "tags"]


def upgrade() -> None:
    op.drop_index(_INDEX, _TABLE)
    op.create_index(_INDEX, _TABLE, [*_COLUMNS, "name", "title"])
    # Of an index that it knows nothing of, SQLite expects too much: lists would be sorted again.
    if op.get_bind().dialect.name == "sqlite":
        op.get_bind().exec_driver_sql("PRAGMA analysis_limit = 1000")
    op.get_bind().exec_driver_sql(f"ANALYZE {_TABLE}")


def downgrade() -> None:
    op.drop_index(_INDEX, _TABLE)
    op.create_index(_INDEX, _TABLE, _COLUMNS)
