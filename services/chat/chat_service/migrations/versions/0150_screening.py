"""Screening: word lists, before-send hooks, verdicts, held messages; and link previews."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0150"
down_revision = "0140"


def upgrade() -> None:
    """Add tables, and two columns of messages; every message that is there was sent."""
    op.execute(read_sql("chat_service", "0150_screening.sql"))
