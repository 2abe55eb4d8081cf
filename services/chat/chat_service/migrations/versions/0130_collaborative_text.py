"""Collaborative text: which messages several people write, their documents, and the operations on them."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0130"
down_revision = "0110"


def upgrade() -> None:
    """Add a column that is null for every message so far, and two tables."""
    op.execute(read_sql("chat_service", "0130_collaborative_text.sql"))
