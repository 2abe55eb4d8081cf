"""Ladders and deadlines of webhooks, and probes of endpoints that fail."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0120"
down_revision = "0110"


def upgrade() -> None:
    """Add columns with defaults that hold for what is there; replace two indexes; widen two checks."""
    op.execute(read_sql("webhook_dispatcher", "0120_outages.sql"))
