"""The command line of the runner: `python3 -m deploy.local setup|run|stop`, from the root of the clone.

`supervise` is what `run` starts in the background; nobody types it.
"""

from __future__ import annotations

import sys
from pathlib import Path

COMMANDS = ("setup", "run", "stop", "supervise")
OLDEST_PYTHON = (3, 11)


def main(arguments: list[str]) -> int:
    """Run one command. Returns the exit code."""
    if sys.version_info < OLDEST_PYTHON:
        found = ".".join(map(str, sys.version_info[:2]))
        print(
            f"make: Python 3.11 to 3.13 is needed, this is {found}\n"
            "  -> install one and name it: make PYTHON=python3.11 ...",
            file=sys.stderr,
        )
        return 1
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print(f"usage: python3 -m deploy.local {'|'.join(COMMANDS)}", file=sys.stderr)
        return 2
    # Below the check: these modules need the newer Python.
    from deploy.local import runner
    from deploy.local.console import Console, Trouble
    from deploy.local.paths import layout_of
    from deploy.local.supervisor import supervise

    layout, console = layout_of(Path(__file__).resolve().parents[2]), Console()
    commands = {"setup": runner.set_up, "run": runner.run, "stop": runner.stop}
    try:
        if arguments[0] == "supervise":
            return supervise(layout)
        commands[arguments[0]](layout, console)
    except Trouble as trouble:
        console.fail(trouble)
        return 1
    except KeyboardInterrupt:
        console.fail(Trouble("interrupted", "make run goes on from here; make stop ends what was started"))
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
