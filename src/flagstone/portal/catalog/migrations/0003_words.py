"""An index of words, kept by triggers: whoever writes an entity, its words are there in the same transaction."""

from alembic import op

revision = "catalog_0003"
down_revision = "catalog_0002"
branch_labels = None
depends_on = None

_SQLITE = (
    """CREATE VIRTUAL TABLE catalog_words USING fts5(words, content='catalog_entities', content_rowid='id',
       tokenize='unicode61 remove_diacritics 0', prefix='2 3', columnsize=0, detail=none)""",
    """CREATE TRIGGER catalog_words_insert AFTER INSERT ON catalog_entities BEGIN
       INSERT INTO catalog_words(rowid, words) VALUES (new.id, new.words); END""",
    """CREATE TRIGGER catalog_words_delete AFTER DELETE ON catalog_entities BEGIN
       INSERT INTO catalog_words(catalog_words, rowid, words) VALUES ('delete', old.id, old.words); END""",
    """CREATE TRIGGER catalog_words_update AFTER UPDATE OF words ON catalog_entities WHEN old.words <> new.words BEGIN
       INSERT INTO catalog_words(catalog_words, rowid, words) VALUES ('delete', old.id, old.words);
       INSERT INTO catalog_words(rowid, words) VALUES (new.id, new.words); END""",
    "INSERT INTO catalog_words(catalog_words) VALUES ('rebuild')",
)
_VECTOR = "to_tsvector('simple'::regconfig, regexp_replace({words}, '[^[:alnum:]]+', ' ', 'g'))"
_POSTGRESQL = (
    "CREATE TABLE catalog_words (entity_id BIGINT PRIMARY KEY, vector TSVECTOR NOT NULL)",
    f"INSERT INTO catalog_words SELECT id, {_VECTOR.format(words='words')} FROM catalog_entities",  # noqa: S608
    "CREATE INDEX catalog_words_vector ON catalog_words USING gin (vector)",
    f"""CREATE FUNCTION catalog_words_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF TG_OP = 'DELETE' THEN DELETE FROM catalog_words WHERE entity_id = OLD.id; RETURN OLD; END IF;
        IF TG_OP = 'UPDATE' THEN IF NEW.words = OLD.words THEN RETURN NEW; END IF; END IF;
        INSERT INTO catalog_words VALUES (NEW.id, {_VECTOR.format(words="NEW.words")})
        ON CONFLICT (entity_id) DO UPDATE SET vector = excluded.vector;
        RETURN NEW; END $$""",  # noqa: S608
    """CREATE TRIGGER catalog_words_keep AFTER INSERT OR DELETE OR UPDATE OF words ON catalog_entities
       FOR EACH ROW EXECUTE FUNCTION catalog_words_keep()""",
)


def upgrade() -> None:
    for statement in _POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SQLITE:
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("DROP TRIGGER catalog_words_keep ON catalog_entities")
        connection.exec_driver_sql("DROP FUNCTION catalog_words_keep()")
    else:
        for name in ("insert", "delete", "update"):
            connection.exec_driver_sql(f"DROP TRIGGER catalog_words_{name}")
    connection.exec_driver_sql("DROP TABLE catalog_words")
