"""Screening: word lists, before-send hooks, verdicts, held messages; and link previews."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0170"
down_revision = "0160"


def upgrade() -> None:
    """Add tables, and two columns of messages; every message that is there was sent."""
    op.execute(read_sql("chat_service", "0170_screening.sql"))
