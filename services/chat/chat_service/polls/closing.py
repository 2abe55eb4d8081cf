"""The loop that closes polls whose time is over and tells so, once each.

Votes are refused by the clock, not by this loop. Replicas may meet at a poll: the channel's lock lets one close it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from chat_service.events.log import Cause
from chat_service.polls import actions, store
from chatsdk_contracts.wire import to_wire_precision
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import Pool, reading, transaction

_INTERVAL_S = 1.0
_AT_ONCE = 100


async def close_polls(pool: Pool, epoch: int, wake_relay: Callable[[], None], heartbeat: Heartbeat) -> None:
    """Look every second; go on at once while there are more."""
    while True:
        heartbeat.beat()
        now = to_wire_precision(datetime.now(UTC))
        if await close_due(pool, epoch, now):
            wake_relay()
        else:
            await asyncio.sleep(_INTERVAL_S)


async def close_due(pool: Pool, epoch: int, now: datetime, *, at_once: int = _AT_ONCE) -> int:
    """Close what is due, at most `at_once`, a transaction each; returns how many this call closed, those among them that nobody sees."""
    async with reading(pool) as connection:
        due = await store.due_polls(connection, now, at_once)
    closed = 0
    for poll in due:
        async with transaction(pool) as tx:
            closed += await actions.close_ended(tx, Cause(poll.app_id, now, epoch), poll)
    return closed
