"""Unsent messages by age, so that retention finds those of them that are too old."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0180"
down_revision = "0170"


def upgrade() -> None:
    """Add an index, of few rows."""
    op.execute(read_sql("chat_service", "0180_unsent_messages.sql"))
