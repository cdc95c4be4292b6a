"""Create the catalog's tables."""

import sqlalchemy as sa
from alembic import op

from flagstone.toolkit.db import JsonText, UtcDateTime

revision = "catalog_0001"
down_revision = None
branch_labels = ("catalog",)
depends_on = None

Key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
Serial = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _locations()
    _entities()
    _indexes_of_entities()
    _parts()
    _records()


def _locations() -> None:
    op.create_table(
        "catalog_locations",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("presence", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("version", sa.Text),
        sa.Column("includes", JsonText),
        sa.Column("commit", sa.Text),
        sa.Column("read_at", UtcDateTime),
        sa.Column("attempted_at", UtcDateTime),
        sa.Column("next_read_at", UtcDateTime, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("hint", sa.Text),
        sa.Column("held", JsonText),
        sa.Column("approved", sa.Text),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
    )
    op.create_index("catalog_locations_target", "catalog_locations", ["type", "target"], unique=True)
    op.create_index("catalog_locations_next", "catalog_locations", ["next_read_at"])
    op.create_table(
        "catalog_location_links",
        sa.Column("parent_id", sa.Text, primary_key=True),
        sa.Column("child_id", sa.Text, primary_key=True),
    )
    op.create_index("catalog_location_links_child", "catalog_location_links", ["child_id"])


def _entities() -> None:
    op.create_table(
        "catalog_entities",
        sa.Column("id", Serial, primary_key=True, autoincrement=True),
        sa.Column("uid", sa.Text, nullable=False),
        sa.Column("ref", Key, nullable=False),
        sa.Column("kind", Key, nullable=False),
        sa.Column("namespace", Key, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("sort_name", Key, nullable=False),
        sa.Column("type", Key, nullable=False),
        sa.Column("lifecycle", Key, nullable=False),
        sa.Column("owner_ref", Key, nullable=False),
        sa.Column("system_ref", Key, nullable=False),
        sa.Column("etag", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("location_id", sa.Text, nullable=False),
        sa.Column("source_ref", sa.Text, nullable=False),
        sa.Column("source_path", sa.Text, nullable=False),
        sa.Column("source_line", sa.Integer, nullable=False),
        sa.Column("source_commit", sa.Text),
        sa.Column("view_url", sa.Text),
        sa.Column("edit_url", sa.Text),
        sa.Column("has_problems", sa.Boolean, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
    )


def _indexes_of_entities() -> None:
    for name, columns, unique in (
        ("uid", ["uid"], True),
        ("ref", ["ref"], True),
        ("name", ["sort_name", "id"], False),
        ("kind", ["kind", "sort_name", "id"], False),
        ("type", ["kind", "type", "sort_name", "id"], False),
        ("owner", ["owner_ref", "sort_name", "id"], False),
        ("system", ["system_ref", "kind"], False),
        ("updated", ["updated_at", "id"], False),
        ("location", ["location_id"], False),
    ):
        op.create_index(f"catalog_entities_{name}", "catalog_entities", columns, unique=unique)


def _parts() -> None:
    op.create_table(
        "catalog_documents",
        sa.Column("entity_id", Serial, primary_key=True, autoincrement=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
    )
    op.create_table(
        "catalog_search",
        sa.Column("entity_id", Serial, nullable=False),
        sa.Column("key", Key, nullable=False),
        sa.Column("value", Key),
        sa.Column("original", sa.Text),
    )
    op.create_index("catalog_search_key", "catalog_search", ["key", "value", "entity_id"])
    op.create_index("catalog_search_entity", "catalog_search", ["entity_id"])
    op.create_table(
        "catalog_relations",
        sa.Column("declared_by", Serial, nullable=False),
        sa.Column("source_ref", Key, nullable=False),
        sa.Column("type", Key, nullable=False),
        sa.Column("target_ref", Key, nullable=False),
    )
    op.create_index("catalog_relations_source", "catalog_relations", ["source_ref", "type", "target_ref"])
    op.create_index("catalog_relations_target", "catalog_relations", ["target_ref", "type", "source_ref"])
    op.create_index("catalog_relations_declared", "catalog_relations", ["declared_by"])


def _records() -> None:
    op.create_table(
        "catalog_problems",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("location_id", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("hint", sa.Text),
        sa.Column("file", sa.Text),
        sa.Column("line", sa.Integer),
        sa.Column("field", sa.Text),
        sa.Column("entity_ref", Key),
        sa.Column("action", sa.Text),
        sa.Column("at", UtcDateTime, nullable=False),
    )
    op.create_index("catalog_problems_location", "catalog_problems", ["location_id"])
    op.create_index("catalog_problems_entity", "catalog_problems", ["entity_ref"])
    op.create_table(
        "catalog_history",
        sa.Column("id", Serial, primary_key=True, autoincrement=True),
        sa.Column("ref", Key, nullable=False),
        sa.Column("uid", sa.Text, nullable=False),
        sa.Column("change", sa.Text, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("commit", sa.Text),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("before_digest", sa.Text),
        sa.Column("after_digest", sa.Text),
        sa.Column("before", sa.Text),
    )
    op.create_index("catalog_history_ref", "catalog_history", ["ref", "id"])
    op.create_index("catalog_history_at", "catalog_history", ["at"])
    op.create_table(
        "catalog_stars",
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("ref", Key, primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "catalog_cursors",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    for name in (
        *("cursors", "stars", "history", "problems", "relations", "search", "documents", "entities"),
        *("location_links", "locations"),
    ):
        op.drop_table(f"catalog_{name}")
