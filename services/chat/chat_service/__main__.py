"""`python -m chat_service serve|migrate`."""

from __future__ import annotations

import asyncio
import sys

import uvloop

from chat_service.app import run_migrations, run_service
from chat_service.settings import ChatSettings
from chatsdk_runtime.logging import configure_logging
from chatsdk_runtime.settings import SettingsError, load_settings

USAGE = "usage: python -m chat_service serve|migrate"


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit code (2: called or configured wrongly)."""
    if arguments not in (["serve"], ["migrate"]):
        print(USAGE, file=sys.stderr)  # noqa: T201 - nothing is set up yet
        return 2
    try:
        settings = load_settings(ChatSettings)
    except SettingsError as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - for the person who starts it
        return 2
    log_level = configure_logging(
        service="chat",
        level=settings.log_level,
        style=settings.log_format,
        development=settings.is_development,
    )
    if arguments == ["migrate"]:
        revision = asyncio.run(run_migrations(settings))
        print(f"chat database is at revision {revision}")  # noqa: T201 - the command's answer
        return 0
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run_service(settings, log_level))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
