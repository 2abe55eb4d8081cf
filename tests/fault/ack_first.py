"""The metrics service with its safety turned round, to prove that the fault tests notice it.

    python -m tests.fault.ack_first serve

Every event is acknowledged before it is counted. At the tenth batch it stops between the two and says so in
its log, for the test to kill it there.
"""

import asyncio
import itertools
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from chatsdk_runtime.consume import BatchConsumer
from chatsdk_runtime.loops import Heartbeat
from metrics_service import consumers
from metrics_service.__main__ import main

if TYPE_CHECKING:
    from aio_pika import IncomingMessage

BETWEEN = "between acknowledgement and commit"
_BATCHES = itertools.count(1)


class AckFirst(BatchConsumer):
    """What must not be."""

    async def _process(self, batch: "Sequence[IncomingMessage]", heartbeat: Heartbeat) -> None:
        for message in batch:
            await message.ack()
        if next(_BATCHES) == 10:
            sys.stderr.write(f"{BETWEEN}: {len(batch)} events\n")
            sys.stderr.flush()
            await asyncio.Event().wait()
        await super()._process(batch, heartbeat)

    async def _acknowledge(self, messages: "Sequence[IncomingMessage]", outcome: str) -> None:
        """Done already."""


if __name__ == "__main__":
    # The one place where the service makes its consumer.
    vars(consumers)["BatchConsumer"] = AckFirst
    sys.exit(main(sys.argv[1:]))
