"""What sync reads: the log by subject, when a member came, who left, and each member's private state."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add columns, tables and one index; rows of before count as having been there always."""
    op.execute(read_sql("chat_service", "0003_sync.sql"))
