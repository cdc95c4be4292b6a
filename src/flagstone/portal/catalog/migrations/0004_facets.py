"""Counting by owner and by lifecycle within a kind, from an index alone."""

from alembic import op

revision = "catalog_0004"
down_revision = "catalog_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("owner", "lifecycle"):
        column = "owner_ref" if name == "owner" else name
        op.create_index(f"catalog_entities_kind_{name}", "catalog_entities", ["kind", column, "sort_name"])


def downgrade() -> None:
    for name in ("owner", "lifecycle"):
        op.drop_index(f"catalog_entities_kind_{name}", "catalog_entities")
