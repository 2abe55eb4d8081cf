"""The first schema: marks of counted events, rollups, what is known of apps and channels, lane positions."""

from alembic import op

from chatsdk_runtime.migrations import read_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(read_sql("metrics_service", "0001_initial.sql"))
