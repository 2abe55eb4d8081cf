"""How far the redactions of chat's log were followed."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0110"
down_revision = "0001"


def upgrade() -> None:
    """Add a table with its row; nothing was followed before."""
    op.execute(read_sql("metrics_service", "0110_redactions.sql"))
