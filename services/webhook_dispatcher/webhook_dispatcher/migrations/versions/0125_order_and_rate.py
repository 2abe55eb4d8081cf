"""Order within channels, and rates of webhooks."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0125"
down_revision = "0120"


def upgrade() -> None:
    """Add columns that say of what is there: no order, no limit."""
    op.execute(read_sql("webhook_dispatcher", "0125_order_and_rate.sql"))
