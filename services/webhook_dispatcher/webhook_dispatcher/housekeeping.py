"""Chores by the hour: partitions for the days to come and gone, idempotency keys past their lifetime."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta

import structlog

from chatsdk_contracts.ids import day_of
from chatsdk_runtime.idempotency import forget_expired
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.partitions import drop_partition, ensure_partitions, partition_days
from chatsdk_runtime.postgres import Pool, reading, transaction
from webhook_dispatcher.deliveries import store
from webhook_dispatcher.dispatch.deliver import Deliverer

log = structlog.get_logger()

PARTITIONED = ("event_body", "delivery", "attempt")
_CHORES_EVERY_S = 3600.0
_STEP_S = 30.0


async def run(pool: Pool, deliverer: Deliverer, retention_days: int, heartbeat: Heartbeat) -> None:
    """Do the chores at start and then hourly; forget unused targets every half minute."""
    while True:
        today = datetime.now(UTC).date()
        async with transaction(pool) as tx:
            await ensure_partitions(tx, PARTITIONED, today=today)
        async with reading(pool) as connection:
            await forget_expired(connection)
        await drop_old_days(pool, before=today - timedelta(days=retention_days))
        for _ in range(int(_CHORES_EVERY_S / _STEP_S)):
            heartbeat.beat()
            deliverer.forget_targets()
            await asyncio.sleep(_STEP_S)


async def drop_old_days(pool: Pool, *, before: date) -> list[date]:
    """Drop the history of the days before that one, but none from the oldest unfinished delivery on."""
    async with reading(pool) as connection:
        if not await store.take_retention_turn(connection):
            return []
        try:
            unfinished = await store.oldest_unfinished(connection)
            limit = before if unfinished is None else min(before, day_of(str(unfinished)))
            dropped = set()
            for table in PARTITIONED:
                for day in await partition_days(connection, table):
                    if day < limit:
                        await drop_partition(connection, table, day)
                        dropped.add(day)
        finally:
            await store.end_retention_turn(connection)
    for day in sorted(dropped):
        log.info("history_dropped", day=day.isoformat())
    return sorted(dropped)
