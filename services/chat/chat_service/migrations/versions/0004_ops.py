"""What operations of clients need beside results: deletions that came before their message, and hybrid clocks."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add a table and a column."""
    op.execute(read_sql("chat_service", "0004_ops.sql"))
