"""Deliveries that end unsent: past the deadline of their webhook, or beyond what one endpoint may hold.

They stay in the history as `expired`, and can be replayed while the event is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import Pool, Row, Transaction, reading, transaction
from webhook_dispatcher.dispatch import expiry_store, record_store
from webhook_dispatcher.instruments import Instruments

log = structlog.get_logger()

_AT_ONCE = 1_000
_WARN_AT = 0.8
_LOOK_AT_HELD_EVERY = 10


@dataclass(frozen=True, slots=True)
class Expiry:
    """Ends what is overdue each `interval_s` seconds, and, less often, what exceeds `held_limit` per webhook."""

    pool: Pool
    instruments: Instruments
    held_limit: int
    interval_s: float = 1.0

    async def run(self, heartbeat: Heartbeat) -> None:
        """Until cancelled. Every replica does it; they pass over what another is at."""
        turns = 0
        while True:
            heartbeat.beat()
            await self.end_overdue()
            if turns % _LOOK_AT_HELD_EVERY == 0:
                await self.end_excess()
            turns += 1
            await asyncio.sleep(self.interval_s)

    async def end_overdue(self) -> int:
        """End what has passed its deadline; how many."""
        total = 0
        while True:
            async with transaction(self.pool) as tx:
                webhook_ids = await expiry_store.lock_overdue(tx, limit=_AT_ONCE)
                ended = await expiry_store.expire_overdue(tx, webhook_ids, limit=_AT_ONCE)
                await _let_follow(tx, ended)
            self.instruments.expired.labels("deadline").inc(len(ended))
            total += len(ended)
            if len(ended) < _AT_ONCE:
                return total

    async def end_excess(self) -> None:
        """End the oldest of what a webhook holds beyond the limit; warn of those that come near it."""
        async with reading(self.pool) as connection:
            near = await expiry_store.full_endpoints(connection, at_least=int(_WARN_AT * self.held_limit))
        for row in near:
            async with reading(self.pool) as connection:
                held = await expiry_store.count_held(connection, row["webhook_id"])
            while held > self.held_limit:
                ended = await self._end_oldest(row["webhook_id"], min(_AT_ONCE, held - self.held_limit))
                if not ended:
                    break
                held -= ended
            log.warning(
                "webhook_holds_many", webhook_id=str(row["webhook_id"]), app_id=row["app_id"], held=held
            )

    async def _end_oldest(self, webhook_id: UUID, count: int) -> int:
        async with transaction(self.pool) as tx:
            await expiry_store.lock_endpoint(tx, webhook_id)
            ended = await expiry_store.expire_oldest(tx, webhook_id, count=count)
            await _let_follow(tx, ended)
        self.instruments.expired.labels("held_limit").inc(len(ended))
        return len(ended)


async def _let_follow(tx: Transaction, ended: Sequence[Row]) -> None:
    """What waited for an expired delivery is next."""
    ordered = [row for row in ended if row["order_key"] is not None]
    if ordered:
        webhook_ids, keys = [row["webhook_id"] for row in ordered], [row["order_key"] for row in ordered]
        await record_store.let_follow(tx, webhook_ids, keys)
        await record_store.wake(tx, webhook_ids)
