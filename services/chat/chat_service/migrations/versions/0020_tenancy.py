"""Tenancy: when keys were used, which tokens are revoked, an app's settings, users found by prefix, blocks."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0020"
down_revision = "0010"


def upgrade() -> None:
    """Add columns, tables and two indexes; nothing is revoked or blocked at first."""
    op.execute(read_sql("chat_service", "0020_tenancy.sql"))
