"""The two roads on which events come: the queue, and what the log has that the queue lost.

Both end in `counting.count`. A batch is acknowledged after its commit; between the two lies the fault point
`rollup.committed`, where a kill must change nothing but the number of repeats.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from chatsdk_contracts import topology
from chatsdk_contracts.envelope import UndecodableEvent
from chatsdk_runtime.consume import BatchConsumer, BatchLimits, Incoming, Undecodable
from chatsdk_runtime.fault_points import FaultPoints
from chatsdk_runtime.instruments import RuntimeInstruments
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import DATABASE_AWAY, Pool, transaction
from chatsdk_runtime.rabbit import Publisher, declare
from chatsdk_runtime.service_client import LoggedEvent
from metrics_service import counting, store
from metrics_service.instruments import MetricsInstruments
from metrics_service.projections import read_event

log = structlog.get_logger()

_PREFETCH = 1_000
_BATCH_SIZE = 200


class EventCounting:
    """Counts what comes, and parks what cannot be counted."""

    def __init__(self, pool: Pool, instruments: MetricsInstruments, fault_points: FaultPoints) -> None:
        self._pool = pool
        self._instruments = instruments
        self._fault_points = fault_points

    def inspect(self, incoming: Incoming) -> None:
        """Refuse what is no event, before it is in a batch.

        Raises:
            Undecodable: with the reason.
        """
        try:
            read_event(incoming.body)
        except UndecodableEvent as problem:
            raise Undecodable(problem.reason) from None

    async def handle(self, batch: Sequence[Incoming]) -> None:
        """Count a batch from the queue."""
        located = [
            store.Covered(one.lane, one.lane_pos, one.lane_pos)
            for one in batch
            if one.lane is not None and one.lane_pos is not None
        ]
        await self._count([one.body for one in batch], located)
        self._fault_points.reached("rollup.committed")

    async def park(self, incoming: Incoming, reason: str) -> None:
        """Keep an event from the queue that fails alone; its position counts as done."""
        done = (
            []
            if incoming.lane is None or incoming.lane_pos is None
            else [store.Covered(incoming.lane, incoming.lane_pos, incoming.lane_pos)]
        )
        await self._park(incoming.message_id, incoming.type, reason, incoming.body, done)

    async def handle_missing(
        self, lane: int, after: int, events: Sequence[LoggedEvent], covers_to: int
    ) -> None:
        """Count a page of the log; everything in (after, covers_to] is done when this returns."""
        page = store.Covered(lane, after + 1, covers_to)
        try:
            fresh = await self._count([event.body for event in events], [page])
        except DATABASE_AWAY:
            raise
        except Exception:
            log.exception("page_failed", lane=lane, after=after, events=len(events))
            fresh = await self._count_each(lane, events)
            await self._count([], [page])
        self._instruments.reconciled.inc(fresh)

    async def _count_each(self, lane: int, events: Sequence[LoggedEvent]) -> int:
        fresh = 0
        for event in events:
            try:
                fresh += await self._count([event.body], [])
            except DATABASE_AWAY:
                raise
            except Exception as failure:
                log.exception("event_parked", lane=lane, position=event.pos)
                reason = f"{type(failure).__name__}: {failure}"
                await self._park(f"lane {lane} position {event.pos}", "", reason, event.body, [])
        return fresh

    async def _count(self, bodies: Sequence[bytes], covered: Sequence[store.Covered]) -> int:
        counted = await counting.count(self._pool, [read_event(body) for body in bodies], covered)
        self._instruments.events.labels("counted").inc(counted.fresh)
        self._instruments.events.labels("repeated").inc(counted.repeated)
        return counted.fresh

    async def _park(
        self, message_id: str, event_type: str, reason: str, body: bytes, done: Sequence[store.Covered]
    ) -> None:
        async with transaction(self._pool) as tx:
            await store.park(tx, message_id=message_id, event_type=event_type, reason=reason, body=body)
            if done:
                await store.cover(tx, done)
        self._instruments.parked.inc()


class EventsConsumer:
    """The loop that takes `metrics.events`; each run declares the topology and connects anew."""

    def __init__(
        self, url: str, events: EventCounting, *, linger_s: float, instruments: RuntimeInstruments
    ) -> None:
        self._url = url
        self._events = events
        self._limits = BatchLimits(prefetch=_PREFETCH, size=_BATCH_SIZE, linger_s=linger_s)
        self._instruments = instruments

    async def run(self, heartbeat: Heartbeat) -> None:
        """Consume until cancelled; raises what the broker raises while it is away."""
        await self._declare()
        consumer = BatchConsumer(
            self._url,
            topology.METRICS_QUEUE,
            handle=self._events.handle,
            inspect=self._events.inspect,
            park=self._events.park,
            limits=self._limits,
            instruments=self._instruments,
        )
        await consumer.run(heartbeat)

    async def _declare(self) -> None:
        publisher = await Publisher.open(self._url, name="metrics-topology")
        try:
            await declare(publisher.channel, topology.definitions())
        finally:
            await publisher.close()
