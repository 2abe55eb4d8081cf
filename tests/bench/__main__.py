"""`python -m tests.bench [names...]`: measure, print one table, write `.local/bench.json`.

Names: sends, backlog, latency, deliveries, sockets, reading, search; none: all. The exit code does not depend on goals: ratios on a
busy machine are for reading.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable

from deploy.local.instance import Instance
from deploy.local.paths import layout_of
from tests.bench import reading, search, sends, sockets, webhooks
from tests.bench.stack import servers
from tests.bench.table import Row, render, write
from tests.fixtures.slot import ROOT

MEASURES: dict[str, Callable[[Instance], Awaitable[list[Row]]]] = {
    "sends": sends.send_rows,
    "backlog": sends.backlog_rows,
    "latency": webhooks.latency_rows,
    "deliveries": webhooks.delivery_rows,
    "sockets": sockets.socket_rows,
    "reading": reading.reading_rows,
    "search": search.search_rows,
}


async def _measure(names: list[str], instance: Instance) -> list[Row]:
    rows: list[Row] = []
    for name in names:
        sys.stderr.write(f"measuring {name} ...\n")
        rows += await MEASURES[name](instance)
    return rows


def main(arguments: list[str]) -> int:
    """Measure what was asked for; returns the exit code."""
    unknown = [name for name in arguments if name not in MEASURES]
    if unknown:
        sys.stderr.write(f"unknown: {', '.join(unknown)}; there are {', '.join(MEASURES)}\n")
        return 2
    with servers() as instance:
        rows = asyncio.run(_measure(arguments or list(MEASURES), instance))
    sys.stdout.write(render(rows) + "\n")
    write(rows, layout_of(ROOT).link / "bench.json")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
