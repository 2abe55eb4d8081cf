"""The loop that tells the last receipt of a burst: what came within a second of the one before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from chat_service.events.log import Cause, append
from chat_service.reads import store
from chat_service.reads.actions import receipt_event
from chatsdk_contracts.wire import to_wire_precision
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import Pool, transaction

_INTERVAL_S = 0.5
_AT_ONCE = 500


async def tell_receipts(pool: Pool, epoch: int, wake_relay: Callable[[], None], heartbeat: Heartbeat) -> None:
    """Look twice a second; go on at once while there are more."""
    while True:
        heartbeat.beat()
        told = await tell_due(pool, epoch, to_wire_precision(datetime.now(UTC)))
        if told:
            wake_relay()
        if told < _AT_ONCE:
            await asyncio.sleep(_INTERVAL_S)


async def tell_due(pool: Pool, epoch: int, now: datetime) -> int:
    """Tell what is due, in one transaction; returns how many receipts that were."""
    async with transaction(pool) as tx:
        due = await store.take_due(tx, _AT_ONCE)
        if due:
            await append(tx, [receipt_event(Cause(one.app_id, now, epoch, one.user_id), one) for one in due])
    return len(due)
