"""Read receipts: how far others were told that a member has read, and when they are to be told more."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0060"
down_revision = "0050"


def upgrade() -> None:
    """Add columns and an index; nobody was told anything before."""
    op.execute(read_sql("chat_service", "0060_reads.sql"))
