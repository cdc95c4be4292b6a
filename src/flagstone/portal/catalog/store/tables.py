"""The catalog's tables. Sorting and filtering columns are lower case and never NULL: an empty string means "none"."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table, Text

from flagstone.toolkit.db import JsonText, UtcDateTime

metadata = MetaData()

# Order by bytes, as SQLite does, so that a cursor means the same on both databases.
Key = Text().with_variant(Text(collation="C"), "postgresql")
Serial = BigInteger().with_variant(Integer, "sqlite")

locations = Table(
    "catalog_locations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("presence", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("version", Text),
    # Files read beside the entity files (placeholders), with digests: the source's version does not cover them.
    Column("includes", JsonText),
    Column("commit", Text),
    Column("read_at", UtcDateTime),
    Column("attempted_at", UtcDateTime),
    Column("next_read_at", UtcDateTime, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("error", Text),
    Column("hint", Text),
    Column("held", JsonText),
    Column("approved", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Index("catalog_locations_target", "type", "target", unique=True),
    Index("catalog_locations_next", "next_read_at"),
)

location_links = Table(
    "catalog_location_links",
    metadata,
    Column("parent_id", Text, primary_key=True),
    Column("child_id", Text, primary_key=True),
    Index("catalog_location_links_child", "child_id"),
)

# What was in each file when it was last read whole and right: the same file need not be read again.
files = Table(
    "catalog_files",
    metadata,
    Column("location_id", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("stamp", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("entities", Integer, nullable=False),
)

# Entities whose relations were changed by others, and whose documents do not show it yet.
unstitched = Table("catalog_unstitched", metadata, Column("ref", Key, primary_key=True))

entities = Table(
    "catalog_entities",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("uid", Text, nullable=False),
    Column("ref", Key, nullable=False),
    Column("kind", Key, nullable=False),
    Column("namespace", Key, nullable=False),
    Column("name", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("sort_name", Key, nullable=False),
    Column("type", Key, nullable=False),
    Column("lifecycle", Key, nullable=False),
    Column("owner_ref", Key, nullable=False),
    Column("system_ref", Key, nullable=False),
    Column("etag", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("location_id", Text, nullable=False),
    Column("source_ref", Text, nullable=False),
    Column("source_path", Text, nullable=False),
    Column("source_line", Integer, nullable=False),
    Column("source_commit", Text),
    Column("view_url", Text),
    Column("edit_url", Text),
    Column("has_problems", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("tags", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("words", Text, nullable=False),
    Index("catalog_entities_uid", "uid", unique=True),
    Index("catalog_entities_ref", "ref", unique=True),
    Index("catalog_entities_name", "sort_name", "id"),
    Index("catalog_entities_kind", "kind", "sort_name", "id"),
    Index("catalog_entities_type", "kind", "type", "sort_name", "id"),
    Index("catalog_entities_owner", "owner_ref", "sort_name", "id"),
    # For counting: everything that facets group by, and the same behind an id that the index of words found.
    Index("catalog_entities_facets", "kind", "type", "owner_ref", "lifecycle", "sort_name"),
    Index(
        "catalog_entities_found", "id", "kind", "type", "lifecycle", "owner_ref", "sort_name", "tags", "name", "title"
    ),
    Index("catalog_entities_system", "system_ref", "kind"),
    Index("catalog_entities_updated", "updated_at", "id"),
    Index("catalog_entities_location", "location_id", "source_path"),
)

# The documents lie apart, so that scanning the narrow rows above does not drag them through memory.
documents = Table(
    "catalog_documents",
    metadata,
    Column("entity_id", Serial, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
    Column("source", Text, nullable=False),
)

search = Table(
    "catalog_search",
    metadata,
    Column("entity_id", Serial, nullable=False),
    Column("key", Key, nullable=False),
    Column("value", Key),
    Column("original", Text),
    Index("catalog_search_key", "key", "value", "entity_id"),
    Index("catalog_search_entity", "entity_id"),
)

relations = Table(
    "catalog_relations",
    metadata,
    Column("declared_by", Serial, nullable=False),
    Column("source_ref", Key, nullable=False),
    Column("type", Key, nullable=False),
    Column("target_ref", Key, nullable=False),
    Index("catalog_relations_source", "source_ref", "type", "target_ref"),
    Index("catalog_relations_target", "target_ref", "type", "source_ref"),
    Index("catalog_relations_declared", "declared_by"),
)

problems = Table(
    "catalog_problems",
    metadata,
    Column("id", Text, primary_key=True),
    Column("location_id", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("hint", Text),
    Column("file", Text),
    Column("line", Integer),
    Column("field", Text),
    Column("entity_ref", Key),
    Column("action", Text),
    Column("at", UtcDateTime, nullable=False),
    Index("catalog_problems_location", "location_id"),
    Index("catalog_problems_entity", "entity_ref"),
)

history = Table(
    "catalog_history",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("ref", Key, nullable=False),
    Column("uid", Text, nullable=False),
    Column("change", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("commit", Text),
    Column("source", Text, nullable=False),
    Column("before_digest", Text),
    Column("after_digest", Text),
    # What it became is the next change's "before", or the document of today.
    Column("before", Text),
    Index("catalog_history_ref", "ref", "id"),
    Index("catalog_history_at", "at"),
)

stars = Table(
    "catalog_stars",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("ref", Key, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)

cursors = Table(
    "catalog_cursors",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
