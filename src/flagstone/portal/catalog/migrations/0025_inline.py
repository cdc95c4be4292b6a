"""Documents lie in their rows as they are: PostgreSQL would compress long ones, and unpack them for each answer."""

from alembic import op

revision = "catalog_0025"
down_revision = "catalog_0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.get_bind().exec_driver_sql("ALTER TABLE catalog_documents SET (toast_tuple_target = 8160)")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.get_bind().exec_driver_sql("ALTER TABLE catalog_documents RESET (toast_tuple_target)")
