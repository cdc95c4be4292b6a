"""The entities of a kind and type by name: a page deep in such a list is a piece of one index.

By an expression, which comparing schemas does not understand: it is made here only.
"""

from alembic import op

revision = "catalog_0023"
down_revision = "catalog_0022"
branch_labels = None
depends_on = None

_NAME = {"sqlite": "lower(name)", "postgresql": '(lower(name) COLLATE "C")'}


def upgrade() -> None:
    connection = op.get_bind()
    name = _NAME[connection.dialect.name]
    connection.exec_driver_sql(
        f"CREATE INDEX catalog_entities_named ON catalog_entities (kind, type, {name}, id, lifecycle)"
    )
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA analysis_limit = 1000")
    connection.exec_driver_sql("ANALYZE catalog_entities")


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP INDEX catalog_entities_named")
