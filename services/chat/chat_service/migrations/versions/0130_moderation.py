"""Moderation: bans, shadowed messages, reports, mutes, and the audit log."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0130"
down_revision = "0120"


def upgrade() -> None:
    """Add tables and a column; nobody was banned before, and no message is shadowed."""
    op.execute(read_sql("chat_service", "0130_moderation.sql"))
