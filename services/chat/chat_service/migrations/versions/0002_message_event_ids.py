"""Messages know their events, so that deleting one can take its words out of the log."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; old messages have no list and keep their events as they are."""
    op.execute(read_sql("chat_service", "0002_message_event_ids.sql"))
