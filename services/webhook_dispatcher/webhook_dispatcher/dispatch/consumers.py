"""The broker's door: events come in batches, are planned, and are acknowledged after the commit.

The same road is taken by what the broker lost: `missing` is what reconciliation read from chat's log.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from chatsdk_contracts import topology
from chatsdk_contracts.envelope import UndecodableEvent
from chatsdk_runtime.consume import BatchConsumer, BatchLimits, Incoming, Undecodable
from chatsdk_runtime.instruments import RuntimeInstruments
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import DATABASE_AWAY, Pool, reading, transaction
from chatsdk_runtime.rabbit import Publisher, declare
from chatsdk_runtime.service_client import LoggedEvent
from webhook_dispatcher.dispatch import store
from webhook_dispatcher.dispatch.plan import Located, Planner, read_head

log = structlog.get_logger()

_LIMITS = BatchLimits(prefetch=1000, size=250)


class PlanConsumer:
    """The subscription to the plan queue. One replica at a time is active; the broker chooses it."""

    def __init__(self, url: str, pool: Pool, planner: Planner, instruments: RuntimeInstruments) -> None:
        self._url = url
        self._pool = pool
        self._planner = planner
        self._instruments = instruments

    async def run(self, heartbeat: Heartbeat) -> None:
        """Declare what must exist, then consume until cancelled."""
        await self._declare()
        consumer = BatchConsumer(
            self._url,
            topology.PLAN_QUEUE,
            handle=self._handle,
            inspect=inspect,
            park=self._park,
            limits=_LIMITS,
            instruments=self._instruments,
        )
        await consumer.run(heartbeat)

    async def missing(self, lane: int, _after: int, events: Sequence[LoggedEvent], covers_to: int) -> None:
        """What reconciliation found: everything of the lane up to `covers_to` is in `events` or was planned."""
        batch = [Located(event.body, lane, event.pos) for event in events]
        try:
            await self._planner.plan(batch, covered=(lane, covers_to))
        except DATABASE_AWAY:
            raise
        except Exception:
            log.exception("missing_events_failed", lane=lane, size=len(batch))
            await self._missing_one_by_one(batch)
            await self._planner.plan([], covered=(lane, covers_to))

    async def _missing_one_by_one(self, batch: Sequence[Located]) -> None:
        for located in batch:
            try:
                await self._planner.plan([located])
            except DATABASE_AWAY:
                raise
            except Exception as problem:
                log.exception("event_parked", lane=located.lane, lane_pos=located.pos)
                await self._park_located(located, f"{located.lane}/{located.pos}", type(problem).__name__)

    async def positions(self) -> dict[int, int]:
        """Per lane: everything up to here is planned."""
        async with reading(self._pool) as connection:
            return await store.read_lanes(connection)

    async def _declare(self) -> None:
        publisher = await Publisher.open(self._url, name="webhook-dispatcher-declare")
        try:
            await declare(publisher.channel, topology.definitions())
        finally:
            await publisher.close()

    async def _handle(self, batch: Sequence[Incoming]) -> None:
        await self._planner.plan([_located(incoming) for incoming in batch])

    async def _park(self, incoming: Incoming, reason: str) -> None:
        await self._park_located(_located(incoming), incoming.message_id, reason)

    async def _park_located(self, located: Located, event_id: str, reason: str) -> None:
        in_log = located.lane is not None and located.pos is not None
        async with transaction(self._pool) as tx:
            await store.park_event(
                tx,
                queue=topology.PLAN_QUEUE,
                event_id=event_id,
                reason=reason,
                located=(located.lane or 0, located.pos or 0) if in_log else None,
                body=located.body,
            )


def inspect(incoming: Incoming) -> None:
    """Refuse what is no event.

    Raises:
        Undecodable: with the reason, without any of the content.
    """
    try:
        read_head(incoming.body)
    except UndecodableEvent as problem:
        raise Undecodable(problem.reason) from problem


def _located(incoming: Incoming) -> Located:
    return Located(incoming.body, incoming.lane, incoming.lane_pos)
