"""Notifications: of which unread messages an app's server was told."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0160"
down_revision = "0140"


def upgrade() -> None:
    """Add columns and a table; nobody was told of anything before."""
    op.execute(read_sql("chat_service", "0160_notifications.sql"))
