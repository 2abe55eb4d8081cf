"""Uploaded files and the messages that show them."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0040"
down_revision = "0030"


def upgrade() -> None:
    """Add two tables."""
    op.execute(read_sql("chat_service", "0040_uploads.sql"))
