"""What a user's devices agree on outlives a membership."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0190"
down_revision = "0180"


def upgrade() -> None:
    """Add a column; null where a release before this one saw the user leave."""
    op.execute(read_sql("chat_service", "0190_surviving_reads.sql"))
