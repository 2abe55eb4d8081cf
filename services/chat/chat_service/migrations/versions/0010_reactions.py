"""What people do with a message: react to it, pin it, save it, edit it, take it back and restore it."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0010"
down_revision = "0004"


def upgrade() -> None:
    """Add columns and tables; messages of before have no reactions, no pin and no history."""
    op.execute(read_sql("chat_service", "0010_reactions.sql"))
