"""Rate limits: the buckets that replicas share, and which replicas there are."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0120"
down_revision = "0110"


def upgrade() -> None:
    """Add two tables that a crash of the database may empty: limits are then forgiven once."""
    op.execute(read_sql("chat_service", "0120_rate_limits.sql"))
