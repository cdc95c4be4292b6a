"""Tags beside what the index of words found: a list is counted in every way without reading its entities."""

from alembic import op

revision = "catalog_0021"
down_revision = "catalog_0020"
branch_labels = None
depends_on = None

_BEFORE = ["id", "kind", "type", "lifecycle", "owner_ref", "sort_name"]


def upgrade() -> None:
    op.drop_index("catalog_entities_found", "catalog_entities")
    op.create_index("catalog_entities_found", "catalog_entities", [*_BEFORE, "tags"])
    # Of an index that it knows nothing of, SQLite expects too much: lists would be sorted again.
    if op.get_bind().dialect.name == "sqlite":
        op.get_bind().exec_driver_sql("PRAGMA analysis_limit = 1000")
    op.get_bind().exec_driver_sql("ANALYZE catalog_entities")


def downgrade() -> None:
    op.drop_index("catalog_entities_found", "catalog_entities")
    op.create_index("catalog_entities_found", "catalog_entities", _BEFORE)
