"""Workspaces with members and invitations, and what a channel and a member need for lists, limits and truncation."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0030"
down_revision = "0020"


def upgrade() -> None:
    """Add tables, columns and indexes; channels of before belong to no workspace and keep all their messages."""
    op.execute(read_sql("chat_service", "0030_workspaces.sql"))
