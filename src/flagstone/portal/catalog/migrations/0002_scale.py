"""What reading a hundred thousand entities needs: files that are known, documents that wait, words to search for."""

import sqlalchemy as sa
from alembic import op

revision = "catalog_0002"
down_revision = "catalog_0001"
branch_labels = None
depends_on = None

Key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "catalog_files",
        sa.Column("location_id", sa.Text, primary_key=True),
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("stamp", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("entities", sa.Integer, nullable=False),
    )
    op.create_table("catalog_unstitched", sa.Column("ref", Key, primary_key=True))
    op.drop_index("catalog_entities_location", "catalog_entities")
    op.create_index("catalog_entities_location", "catalog_entities", ["location_id", "source_path"])


def downgrade() -> None:
    op.drop_index("catalog_entities_location", "catalog_entities")
    op.create_index("catalog_entities_location", "catalog_entities", ["location_id"])
    op.drop_table("catalog_unstitched")
    op.drop_table("catalog_files")
