"""Threads and mentions: who takes part in a thread and how far they have read it; who is named in which message."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0090"
down_revision = "0080"


def upgrade() -> None:
    """Add the tables and columns; replies that are there already make their authors participants."""
    op.execute(read_sql("chat_service", "0090_threads_and_mentions.sql"))
