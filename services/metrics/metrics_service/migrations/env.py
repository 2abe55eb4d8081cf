"""What alembic runs; the runtime gives it the connection."""

from chatsdk_runtime.migrations import run_environment

run_environment()
