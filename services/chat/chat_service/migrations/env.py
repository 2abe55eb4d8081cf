"""alembic's entry: the revisions run on the connection that `migrate` opened."""

from chatsdk_runtime.migrations import run_environment

run_environment()
