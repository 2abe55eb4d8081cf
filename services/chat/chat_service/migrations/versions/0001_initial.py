"""The first schema: apps, users, channels, messages, the event log and its lanes."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create everything."""
    op.execute(read_sql("chat_service", "0001_initial.sql"))
