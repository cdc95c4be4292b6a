"""An index of three letters for SQLite: parts of names and titles are found without looking at every name.

Kept by triggers, like the index of words. PostgreSQL has no such index without an extension and compares all names.
"""

from alembic import op

revision = "catalog_0022"
down_revision = "catalog_0021"
branch_labels = None
depends_on = None

_TEXT = "lower({row}.name) || char(10) || {row}.sort_name"
_NEW, _OLD = _TEXT.format(row="new"), _TEXT.format(row="old")
_ADD = f"INSERT INTO catalog_parts(rowid, text) VALUES (new.id, {_NEW});"  # noqa: S608  our own columns
_TAKE = f"INSERT INTO catalog_parts(catalog_parts, rowid, text) VALUES ('delete', old.id, {_OLD});"  # noqa: S608
_STATEMENTS = (
    """CREATE VIRTUAL TABLE catalog_parts USING fts5(text, content='', tokenize='trigram case_sensitive 1',
       columnsize=0, detail=none)""",
    f"CREATE TRIGGER catalog_parts_insert AFTER INSERT ON catalog_entities BEGIN {_ADD} END",
    f"CREATE TRIGGER catalog_parts_delete AFTER DELETE ON catalog_entities BEGIN {_TAKE} END",
    f"""CREATE TRIGGER catalog_parts_update AFTER UPDATE OF name, sort_name ON catalog_entities
        WHEN old.name <> new.name OR old.sort_name <> new.sort_name BEGIN {_TAKE} {_ADD} END""",
    f"INSERT INTO catalog_parts(rowid, text) SELECT e.id, {_TEXT.format(row='e')} FROM catalog_entities e",  # noqa: S608
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for statement in _STATEMENTS:
            op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        for name in ("insert", "delete", "update"):
            connection.exec_driver_sql(f"DROP TRIGGER catalog_parts_{name}")
        connection.exec_driver_sql("DROP TABLE catalog_parts")
