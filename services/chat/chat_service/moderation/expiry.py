"""The loop that tells of bans whose time is over, once each.

They hold no longer by the clock, not by this loop. Replicas may meet at a ban: its row lets one of them tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from chat_service.events.log import Cause
from chat_service.moderation import ban_store, banning
from chatsdk_contracts.wire import to_wire_precision
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import Pool, reading, transaction

_INTERVAL_S = 1.0
_AT_ONCE = 100


async def end_bans(pool: Pool, epoch: int, wake_relay: Callable[[], None], heartbeat: Heartbeat) -> None:
    """Look every second; go on at once while there are more."""
    while True:
        heartbeat.beat()
        if await end_due(pool, epoch, to_wire_precision(datetime.now(UTC))):
            wake_relay()
        else:
            await asyncio.sleep(_INTERVAL_S)


async def end_due(pool: Pool, epoch: int, now: datetime) -> int:
    """Tell of what is over, a transaction each; returns of how many this call told."""
    async with reading(pool) as connection:
        over = await ban_store.bans_over(connection, _AT_ONCE)
    told = 0
    for scope in over:
        async with transaction(pool) as tx:
            told += await banning.end_over(tx, Cause(scope.app_id, now, epoch), scope)
    return told
