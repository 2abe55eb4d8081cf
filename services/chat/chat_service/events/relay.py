"""Number what was committed, publish it in that order, move the watermark.

Two loops per replica over the lanes that it leads. Numbering needs only the database and goes on while the
broker is away; publishing takes what is numbered and not confirmed. Every step is fenced by the lane's row
(lock, or `leader = me`), so any number of replicas may run: what an overtaken leader still publishes is a
repeat, never a first occurrence out of order. Consumers drop repeats by event id.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from chat_service.events import store
from chat_service.events.lanes import FIRST_PAUSE_S, Lane, Posted
from chat_service.events.outgoing import outgoing
from chat_service.events.rules import NumberedEvent, fair_share, positions_for
from chat_service.instruments import RelayInstruments
from chatsdk_contracts.ids import day_floor, new_id
from chatsdk_contracts.topology import EVENTS_EXCHANGE, LANES, definitions
from chatsdk_runtime.fault_points import FaultPoints
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import (
    PLANNED_ONCE,
    Connection,
    Pool,
    Replanning,
    connect,
    reading,
    transaction_on,
)
from chatsdk_runtime.rabbit import Publisher, declare

log = structlog.get_logger()

_NUMBER_AT_ONCE = 1_000  # per lane
_READ_AT_ONCE = 1_000  # per lane
_POST_AT_ONCE = 512  # over all lanes
_WATERMARK_EVERY_S = 0.02
_CONFIRM_TIMEOUT_S = 10.0
_EVERYTHING = UUID(int=0)
_FULL_SCAN_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class RelayTimes:
    """How long the relay waits, in seconds."""

    poll_s: float
    lease_s: float


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
        self._lanes: dict[int, Lane] = {}
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
                self._lanes[lane] = Lane(published_pos=found.published_pos, next_pos=found.next_pos)
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
            server_settings=PLANNED_ONCE,
        )
        plans = Replanning()
        full_scan_s = 0.0
        woken = False
        try:
            while True:
                self._to_number.clear()
                heartbeat.beat()
                everything = time.monotonic() >= full_scan_s
                if everything:
                    full_scan_s = time.monotonic() + _FULL_SCAN_EVERY_S
                since = _EVERYTHING if everything else _recently()
                await plans.refresh(connection)
                # A poll that finds nothing, the usual one, takes no lock.
                if woken or await store.has_unnumbered(connection, list(self._lanes), since):
                    numbered = await self._number_once(connection, since)
                    if numbered:
                        self._faults.reached("relay.numbered")
                        self._to_publish.set()
                    if numbered >= _NUMBER_AT_ONCE:
                        continue
                woken = await _wait(self._to_number, self._times.poll_s)
        finally:
            connection.terminate()

    async def _number_once(self, connection: Connection, since: UUID) -> int:
        async with transaction_on(connection) as tx:
            next_positions = await store.lock_unnumbered(tx, list(self._lanes), self._session, since)
            waiting = await store.unnumbered(tx, list(next_positions), since, _NUMBER_AT_ONCE)
            if not waiting:
                return 0
            positions, following = positions_for([row["lane"] for row in waiting], next_positions)
            await store.number(tx, [row["id"] for row in waiting], positions, following)
        for row, pos in zip(waiting, positions, strict=True):
            lane = self._lanes.get(row["lane"])
            if lane is not None:
                lane.keep(store.numbered_event(row, pos))
        for number, next_pos in following.items():
            if number in self._lanes:
                self._lanes[number].next_pos = next_pos
        self._instruments.numbered.inc(len(waiting))
        return len(waiting)

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
            for lane in self._lanes.values():
                lane.rewind()
            moved: dict[int, int] = {}
            moved_s = 0.0
            while True:
                self._to_publish.clear()
                heartbeat.beat()
                if not publisher.is_open:
                    message = "the connection to the broker is closed"
                    raise ConnectionError(message)
                moved |= self._take_answers()
                posted = await self._post(publisher)
                if moved and time.monotonic() - moved_s >= _WATERMARK_EVERY_S:
                    self._faults.reached("relay.published")
                    await store.move_published(watermarks, self._session, moved)
                    moved, moved_s = {}, time.monotonic()
                if not posted:
                    await _wait(self._to_publish, self._pause_s(moved))

    def _pause_s(self, moved: Mapping[int, int]) -> float:
        """How long publishing may wait if nobody wakes it."""
        if moved or any(lane.in_flight for lane in self._lanes.values()):
            return _WATERMARK_EVERY_S
        return 1.0 if all(lane.is_published for lane in self._lanes.values()) else FIRST_PAUSE_S

    def _take_answers(self) -> dict[int, int]:
        """What the broker said since: how far each lane came that moved."""
        moved = {}
        for number, lane in self._lanes.items():
            if not lane.in_flight:
                continue
            confirmed = lane.confirm()
            if confirmed:
                self._instruments.published.inc(confirmed)
                moved[number] = lane.published_pos
            refused = lane.stop_at_refusal()
            if refused is not None:
                event, reason = refused
                self._instruments.refused.inc()
                log.warning("lane_stopped", lane=number, event_id=event.id, reason=reason)
            elif lane.in_flight and time.monotonic() - lane.in_flight[0].posted_s > _CONFIRM_TIMEOUT_S:
                message = f"the broker does not confirm {lane.in_flight[0].event.id}"
                raise TimeoutError(message)
        return moved

    async def _post(self, publisher: Publisher) -> int:
        """Put what may go out on the wire, all lanes in one write; returns how many events."""
        now_s = time.monotonic()
        going: list[tuple[Lane, NumberedEvent]] = []
        for number, lane in list(self._lanes.items()):
            room = min(lane.room(now_s), _POST_AT_ONCE - len(going))
            if room <= 0:
                continue
            if not lane.has_next:
                lane.refill(await self._read_log(number, lane))
            going += [(lane, lane.buffer.popleft()) for _ in range(min(room, len(lane.buffer)))]
        if going:
            confirmations = await publisher.post(EVENTS_EXCHANGE, [outgoing(event) for _, event in going])
            for (lane, event), confirmation in zip(going, confirmations, strict=True):
                lane.in_flight.append(Posted(event, confirmation, now_s))
                if len(lane.in_flight) >= lane.window:
                    confirmation.add_done_callback(lambda _: self._to_publish.set())
        return len(going)

    async def _read_log(self, number: int, lane: Lane) -> list[NumberedEvent]:
        async with reading(self._pool) as connection:
            return await store.by_position(
                connection, number, lane.posted_pos, lane.next_pos - 1, _READ_AT_ONCE
            )


def _recently() -> UUID:
    """The first id of yesterday: what was committed just now has an id of today, or of a moment before midnight."""
    return day_floor((datetime.now(UTC) - timedelta(days=1)).date())


async def _wait(event: asyncio.Event, timeout_s: float) -> bool:
    """Whether somebody woke it."""
    try:
        async with asyncio.timeout(timeout_s):
            return await event.wait()
    except TimeoutError:
        return False


WakeRelay = Callable[[], None]
