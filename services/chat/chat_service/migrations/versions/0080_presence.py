"""Presence: replicas that live, the sockets that they hold, and how each user is shown."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0080"
down_revision = "0060"


def upgrade() -> None:
    """Add tables; nobody was there before."""
    op.execute(read_sql("chat_service", "0080_presence.sql"))
