"""Counting from one index alone: by kind, type, owner and lifecycle together, and of what the index of words found."""

from alembic import op

revision = "catalog_0020"
down_revision = "catalog_0004"
branch_labels = None
depends_on = None

_FACETS = ["kind", "type", "owner_ref", "lifecycle", "sort_name"]
_FOUND = ["id", "kind", "type", "lifecycle", "owner_ref", "sort_name"]


def upgrade() -> None:
    for name in ("owner", "lifecycle"):
        op.drop_index(f"catalog_entities_kind_{name}", "catalog_entities")
    op.create_index("catalog_entities_facets", "catalog_entities", _FACETS)
    op.create_index("catalog_entities_found", "catalog_entities", _FOUND)


def downgrade() -> None:
    op.drop_index("catalog_entities_found", "catalog_entities")
    op.drop_index("catalog_entities_facets", "catalog_entities")
    for name in ("owner", "lifecycle"):
        column = "owner_ref" if name == "owner" else name
        op.create_index(f"catalog_entities_kind_{name}", "catalog_entities", ["kind", column, "sort_name"])
