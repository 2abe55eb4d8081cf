"""Collaborative text: which messages several people write, their documents, and the operations on them."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0140"
down_revision = "0130"


def upgrade() -> None:
    """Add a column that is null for every message so far, and two tables."""
    op.execute(read_sql("chat_service", "0140_collaborative_text.sql"))
