"""The first schema: webhooks, endpoints, the queue of unfinished deliveries, and the history by day."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create everything."""
    op.execute(read_sql("webhook_dispatcher", "0001_initial.sql"))
