"""`python -m webhook_dispatcher serve|migrate`."""

from __future__ import annotations

import asyncio
import sys

from chatsdk_runtime.logging import configure_logging
from chatsdk_runtime.settings import SettingsError, load_settings
from webhook_dispatcher.settings import DatabaseSettings, Settings

_USAGE = "usage: python -m webhook_dispatcher serve|migrate"


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit code."""
    commands = {"serve": _serve, "migrate": _migrate}
    if len(arguments) != 1 or arguments[0] not in commands:
        sys.stderr.write(f"{_USAGE}\n")
        return 2
    try:
        return commands[arguments[0]]()
    except SettingsError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2


def _serve() -> int:
    import uvloop

    from webhook_dispatcher.app import run

    settings = load_settings(Settings)
    level = configure_logging(
        service="webhook-dispatcher",
        level=settings.log_level,
        style=settings.log_format,
        development=settings.is_development,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(settings, level))


def _migrate() -> int:
    from chatsdk_runtime.migrations import migrate
    from webhook_dispatcher.housekeeping import PARTITIONED

    settings = load_settings(DatabaseSettings)
    head = asyncio.run(migrate(settings.direct_dsn, "webhook_dispatcher", partitioned=PARTITIONED))
    sys.stdout.write(f"webhook_dispatcher: the database is at {head}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
