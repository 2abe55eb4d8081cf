"""alembic's entry: the runtime runs the revisions on the connection it opened under its lock."""

from chatsdk_runtime.migrations import run_environment

run_environment()
