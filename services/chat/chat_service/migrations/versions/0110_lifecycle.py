"""Jobs that erase, export and import; legal holds; which events were redacted; messages on their way in."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0110"
down_revision = "0090"


def upgrade() -> None:
    """Add tables, a column and indexes; nobody is erased and nothing is held before."""
    op.execute(read_sql("chat_service", "0110_lifecycle.sql"))
