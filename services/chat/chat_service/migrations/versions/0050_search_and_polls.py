"""Search: the words of messages beside them, and how far the log is indexed. Polls: options, votes, counts."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0050"
down_revision = "0040"


def upgrade() -> None:
    """Add tables and one column; the indexer begins at the log's start, `chatsdk-admin search rebuild` reads all."""
    op.execute(read_sql("chat_service", "0050_search_and_polls.sql"))
