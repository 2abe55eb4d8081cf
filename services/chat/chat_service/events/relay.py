"""Number what was committed, publish it in that order, move the watermark.

Two loops per replica over the lanes that it leads. Numbering needs only the database and goes on while the
broker is away; publishing takes what is numbered and not confirmed. Every step is fenced by the lane's row
(lock, or `leader = me`), so any number of replicas may run: what an overtaken leader still publishes is a
repeat, never a first occurrence out of order. Consumers drop repeats by event id.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from chat_service.events import store
from chat_service.events.outgoing import outgoing
from chat_service.events.rules import NumberedEvent, fair_share, next_window, positions_for
from chat_service.instruments import RelayInstruments
from chatsdk_contracts.ids import day_floor, new_id
from chatsdk_contracts.topology import EVENTS_EXCHANGE, LANES, definitions
from chatsdk_runtime.fault_points import FaultPoints
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import Connection, Pool, connect, reading, transaction_on
from chatsdk_runtime.rabbit import Publisher, declare

log = structlog.get_logger()

_NUMBER_AT_ONCE = 1_000  # per lane
_PUBLISH_AT_ONCE = 1_000  # per lane
_BUFFERED_PER_LANE = 5_000
_EVERYTHING = UUID(int=0)
_FULL_SCAN_EVERY_S = 60.0
_LANE_PAUSE_S = 0.1
_LONGEST_LANE_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True)
class RelayTimes:
    """How long the relay waits, in seconds."""

    poll_s: float
    lease_s: float


@dataclass(slots=True)
class _Lane:
    """A led lane's state in memory; the database's is the truth."""

    published_pos: int = 0
    next_pos: int = 1
    window: int = 16
    not_before_s: float = 0.0
    pause_s: float = _LANE_PAUSE_S
    buffer: deque[NumberedEvent] = field(default_factory=deque)


class Relay:
    """The relay of one replica."""

    def __init__(
        self,
        pool: Pool,
        *,
        direct_url: str,
        rabbitmq_url: str,
        times: RelayTimes,
        instruments: RelayInstruments,
        faults: FaultPoints,
    ) -> None:
        self._pool = pool
        self._direct_url = direct_url
        self._rabbitmq_url = rabbitmq_url
        self._times = times
        self._instruments = instruments
        self._faults = faults
        self._session = UUID(new_id())
        self._lanes: dict[int, _Lane] = {}
        self._to_number = asyncio.Event()
        self._to_publish = asyncio.Event()

    def wake(self) -> None:
        """Something was committed: number it now, not at the next poll."""
        self._to_number.set()

    async def lead(self, heartbeat: Heartbeat) -> None:
        """Hold this replica's share of the lanes."""
        try:
            while True:
                async with reading(self._pool) as connection:
                    await self._renew(connection)
                heartbeat.beat()
                await asyncio.sleep(self._times.lease_s / 4)
        finally:
            self._lanes.clear()

    async def resign(self) -> None:
        """At shutdown: let another replica go on at once."""
        async with reading(self._pool) as connection:
            await store.end_session(connection, self._session)

    async def _renew(self, connection: Connection) -> None:
        replicas = await store.renew_session(connection, self._session, self._times.lease_s)
        led = await store.lead_lanes(
            connection, self._session, self._times.lease_s, fair_share(LANES, replicas)
        )
        taken = [lane for lane in led if lane not in self._lanes]
        for lane in [lane for lane in self._lanes if lane not in led]:
            del self._lanes[lane]
        # What the broker confirmed while the database was going down, and what its crash forgot.
        await store.move_published(
            connection, self._session, {number: lane.published_pos for number, lane in self._lanes.items()}
        )
        if taken:
            positions = {lane.lane: lane for lane in await store.lane_positions(connection)}
            for lane in taken:
                found = positions[lane]
                self._lanes[lane] = _Lane(published_pos=found.published_pos, next_pos=found.next_pos)
            log.info("lanes_led", lanes=led, replicas=replicas)
            self._to_number.set()
            self._to_publish.set()
        self._instruments.lanes_led.set(len(self._lanes))
        self._instruments.backlog.set(
            sum(lane.next_pos - 1 - lane.published_pos for lane in self._lanes.values())
        )

    async def number(self, heartbeat: Heartbeat) -> None:
        """Give positions to what was committed, for as long as the database answers."""
        connection = await connect(
            self._direct_url,
            application_name="chat-relay",
            # Bounds of ids are known when a statement runs: let every plan leave out the other days.
            server_settings={"plan_cache_mode": "force_custom_plan"},
        )
        full_scan_s = 0.0
        try:
            while True:
                self._to_number.clear()
                heartbeat.beat()
                everything = time.monotonic() >= full_scan_s
                if everything:
                    full_scan_s = time.monotonic() + _FULL_SCAN_EVERY_S
                numbered = await self._number_once(connection, _EVERYTHING if everything else _recently())
                if numbered:
                    self._faults.reached("relay.numbered")
                    self._to_publish.set()
                    continue
                await _wait(self._to_number, self._times.poll_s)
        finally:
            connection.terminate()

    async def _number_once(self, connection: Connection, since: UUID) -> int:
        if not self._lanes:
            return 0
        lanes = await store.lanes_with_unnumbered(connection, list(self._lanes), since)
        if not lanes:
            return 0
        async with transaction_on(connection) as tx:
            next_positions = await store.lock_lanes(tx, lanes, self._session)
            waiting = await store.unnumbered(tx, list(next_positions), since, _NUMBER_AT_ONCE)
            if not waiting:
                return 0
            positions, following = positions_for([row["lane"] for row in waiting], next_positions)
            await store.number(tx, [row["id"] for row in waiting], positions)
            await store.move_next(tx, following)
        events = [store.numbered_event(row, pos) for row, pos in zip(waiting, positions, strict=True)]
        self._buffer(events, following)
        self._instruments.numbered.inc(len(events))
        return len(events)

    def _buffer(self, events: Sequence[NumberedEvent], following: dict[int, int]) -> None:
        """Keep what was just read, so that publishing need not read it again; a gap means "read the log"."""
        for event in events:
            lane = self._lanes.get(event.lane)
            if lane is None:
                continue
            expected = lane.buffer[-1].pos + 1 if lane.buffer else lane.published_pos + 1
            if event.pos == expected and len(lane.buffer) < _BUFFERED_PER_LANE:
                lane.buffer.append(event)
        for number, next_pos in following.items():
            if number in self._lanes:
                self._lanes[number].next_pos = next_pos

    async def publish(self, heartbeat: Heartbeat) -> None:
        """Publish what is numbered, for as long as broker and database answer."""
        async with AsyncExitStack() as stack:
            publisher = await Publisher.open(self._rabbitmq_url, name="chat-relay")
            stack.push_async_callback(publisher.close)
            # A watermark that a crash forgets is written again with the next lease, or its events are published
            # again: it need not wait for the disk.
            watermarks = await connect(
                self._direct_url,
                application_name="chat-relay-watermarks",
                server_settings={"synchronous_commit": "off"},
            )
            stack.callback(watermarks.terminate)
            await declare(publisher.channel, definitions())
            self._instruments.broker_connected.set(1)
            stack.callback(self._instruments.broker_connected.set, 0)
            while True:
                self._to_publish.clear()
                heartbeat.beat()
                if not publisher.is_open:
                    message = "the connection to the broker is closed"
                    raise ConnectionError(message)
                moved = await self._publish_once(publisher, watermarks)
                if not moved:
                    await _wait(self._to_publish, 1.0 if self._all_published() else _LANE_PAUSE_S)

    def _all_published(self) -> bool:
        return all(lane.next_pos - 1 <= lane.published_pos for lane in self._lanes.values())

    async def _publish_once(self, publisher: Publisher, watermarks: Connection) -> bool:
        now_s = time.monotonic()
        due = {
            number: lane
            for number, lane in self._lanes.items()
            if lane.next_pos - 1 > lane.published_pos and lane.not_before_s <= now_s
        }
        if not due:
            return False
        confirmed = await asyncio.gather(
            *(self._publish_lane(publisher, number, lane) for number, lane in due.items())
        )
        moved = {
            number: lane.published_pos
            for (number, lane), count in zip(due.items(), confirmed, strict=True)
            if count
        }
        if moved:
            self._faults.reached("relay.published")
            await store.move_published(watermarks, self._session, moved)
        return bool(moved)

    async def _publish_lane(self, publisher: Publisher, number: int, lane: _Lane) -> int:
        events = await self._next_events(number, lane)
        outcome = await publisher.publish(
            EVENTS_EXCHANGE, [outgoing(event) for event in events], window=lane.window
        )
        lane.published_pos += outcome.confirmed
        while lane.buffer and lane.buffer[0].pos <= lane.published_pos:
            lane.buffer.popleft()
        self._instruments.published.inc(outcome.confirmed)
        lane.window = next_window(lane.window, failed=outcome.failure is not None)
        if outcome.failure is None:
            lane.pause_s = _LANE_PAUSE_S
        else:
            self._instruments.refused.inc()
            lane.not_before_s = time.monotonic() + lane.pause_s
            lane.pause_s = min(lane.pause_s * 2, _LONGEST_LANE_PAUSE_S)
            log.warning(
                "lane_stopped", lane=number, event_id=events[outcome.confirmed].id, reason=outcome.failure
            )
        return outcome.confirmed

    async def _next_events(self, number: int, lane: _Lane) -> list[NumberedEvent]:
        if lane.buffer and lane.buffer[0].pos == lane.published_pos + 1:
            return [lane.buffer[index] for index in range(min(len(lane.buffer), _PUBLISH_AT_ONCE))]
        lane.buffer.clear()
        async with reading(self._pool) as connection:
            return await store.by_position(
                connection, number, lane.published_pos, lane.next_pos - 1, _PUBLISH_AT_ONCE
            )


def _recently() -> UUID:
    """The first id of yesterday: what was committed just now has an id of today, or of a moment before midnight."""
    return day_floor((datetime.now(UTC) - timedelta(days=1)).date())


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return


WakeRelay = Callable[[], None]
