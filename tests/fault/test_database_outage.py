"""PostgreSQL is away for a while: the consumers wait with what they hold, and nothing is given up."""

import asyncio
import signal

from tests.fault.loads import RATE, Load
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.services import ServiceProcess, Stack
from tests.waiting import wait_for

PAUSES = 6  # the consumer's waits double from 0.05 s: the outage lasts for seconds


def _pauses(process: ServiceProcess) -> int:
    return process.log_path.read_text("utf-8").count('"consumer_paused"')


async def test_a_database_outage_pauses_the_consumers_and_dead_letters_nothing(
    supervised: Stack, postgres_server: PostgresServer, load: Load
) -> None:
    consumers = [supervised.dispatcher, supervised.metrics]
    starts = [process.starts for process in consumers]
    before = {process.service: _pauses(process) for process in consumers}

    # Frozen while the load runs, so that both surely have events to handle when the database is gone.
    await load.start(seconds=3)
    for process in consumers:
        process.signal(signal.SIGSTOP)
    await load.acknowledged(RATE)
    await asyncio.to_thread(postgres_server.stop)
    for process in consumers:
        process.signal(signal.SIGCONT)

    def both_paused() -> bool:
        return all(_pauses(process) >= before[process.service] + PAUSES for process in consumers)

    await wait_for(both_paused, 20, lambda: "\n".join(process.log for process in consumers))
    assert load.truth.dead_letters() == []
    await asyncio.to_thread(postgres_server.start)

    await load.finish()
    await load.settle()
    assert [process.starts for process in consumers] == starts, "nobody was restarted"
