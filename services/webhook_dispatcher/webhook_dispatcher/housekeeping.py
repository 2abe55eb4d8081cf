"""Chores by the hour: partitions for the days to come, idempotency keys past their lifetime."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from chatsdk_runtime.idempotency import forget_expired
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.partitions import ensure_partitions
from chatsdk_runtime.postgres import Pool, reading, transaction
from webhook_dispatcher.dispatch.deliver import Deliverer

PARTITIONED = ("event_body", "delivery", "attempt")
_CHORES_EVERY_S = 3600.0
_STEP_S = 30.0


async def run(pool: Pool, deliverer: Deliverer, heartbeat: Heartbeat) -> None:
    """Do the chores at start and then hourly; forget unused targets every half minute."""
    while True:
        async with transaction(pool) as tx:
            await ensure_partitions(tx, PARTITIONED, today=datetime.now(UTC).date())
        async with reading(pool) as connection:
            await forget_expired(connection)
        for _ in range(int(_CHORES_EVERY_S / _STEP_S)):
            heartbeat.beat()
            deliverer.forget_targets()
            await asyncio.sleep(_STEP_S)
