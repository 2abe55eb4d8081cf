"""Consume a queue in batches, with one transaction per batch, and acknowledge only after its commit.

FastStream holds the connection and the subscription; messages wait in memory, at most `prefetch` of them.
Poison is judged here, not by the broker: what cannot be decoded is dead-lettered at once; an event that
fails alone, again and again, is parked with the reason and acknowledged; while our own database is away
nothing is acknowledged, rejected or taken. The queue's delivery limit is only a fuse.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import structlog
from faststream.middlewares import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue

from chatsdk_runtime.instruments import RuntimeInstruments
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import DATABASE_AWAY, is_bad_argument
from chatsdk_runtime.rabbit import BROKER_AWAY

if TYPE_CHECKING:
    from aio_pika import IncomingMessage
    from faststream.rabbit.message import RabbitMessage

log = structlog.get_logger()

_TRIES_ALONE = 3
_LONGEST_PAUSE_S = 5.0
_IDLE_CHECK_S = 2.0
# A connection that is being restored has no consumer for a moment; a cancelled consumer stays away.
_CHECKS_UNTIL_LOST = 3


class Undecodable(Exception):
    """The message is not what the queue carries; the text says why. It goes to the dead letters at once."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as it came: the body's bytes, and where the log has it (None for what is not from a lane)."""

    body: bytes
    message_id: str
    type: str
    routing_key: str
    lane: int | None
    lane_pos: int | None


# Handles a batch in one transaction: returning means committed.
Handle = Callable[[Sequence[Incoming]], Awaitable[None]]
# Raises `Undecodable`; cheap, called before the batch is made.
Inspect = Callable[[Incoming], None]
# Stores an event that cannot be handled, with the reason.
Park = Callable[[Incoming, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How much is taken at once. `linger_s` waits for more; zero takes what is there."""

    prefetch: int = 500
    size: int = 200
    linger_s: float = 0.0


class SettledDeliveries:
    """Which delivery tags of a channel are settled: all up to one, and single ones beyond a gap.

    One acknowledgement may stand for many only if nothing below it is still under way.
    """

    def __init__(self) -> None:
        self._channel: object = None
        self._floor = 0
        self._beyond: set[int] = set()

    def covers(self, channel: object, tags: Sequence[int]) -> bool:
        """Note these tags as settled; whether the last of them now stands for everything up to it."""
        if channel is not self._channel:
            self._channel, self._floor, self._beyond = channel, 0, set()
        self._beyond.update(tags)
        while self._floor + 1 in self._beyond:
            self._floor += 1
            self._beyond.discard(self._floor)
        return tags[-1] <= self._floor and tags[-1] == max(tags)


class BatchConsumer:
    """One subscription and its loop."""

    def __init__(
        self,
        url: str,
        queue: str,
        *,
        handle: Handle,
        inspect: Inspect,
        park: Park,
        limits: BatchLimits,
        instruments: RuntimeInstruments,
    ) -> None:
        self.queue = queue
        self._handle = handle
        self._inspect = inspect
        self._park = park
        self._limits = limits
        self._instruments = instruments
        self._waiting: deque[IncomingMessage] = deque()
        self._arrived = asyncio.Event()
        self._cancelled = False
        self._settled = SettledDeliveries()
        self.broker = RabbitBroker(
            url,
            default_channel=Channel(prefetch_count=limits.prefetch),
            # Replicas that lost the broker together do not come back together.
            reconnect_interval=random.uniform(0.5, 1.5),  # noqa: S311 - jitter, not a secret
            graceful_timeout=5.0,
            ack_policy=AckPolicy.MANUAL,
            apply_types=False,
            logger=None,
        )
        self._subscriber = self.broker.subscriber(
            RabbitQueue(queue, declare=False), ack_policy=AckPolicy.MANUAL, no_reply=True, decoder=_as_it_came
        )
        self._subscriber(self._receive)

    async def run(self, heartbeat: Heartbeat) -> None:
        """Consume until cancelled. Connects first; short interruptions are bridged by the client.

        Raises:
            ConnectionError: the queue was deleted, or the broker stays away: run again, from the declaration on.
        """
        self._cancelled = False
        await self.broker.start()
        try:
            missing = 0 if await self._is_subscribed() else 1
            while not self._cancelled and missing < _CHECKS_UNTIL_LOST:
                heartbeat.beat()
                batch = await self._next_batch()
                if batch:
                    await self._process(batch, heartbeat)
                else:
                    missing = 0 if await self._is_subscribed() else missing + 1
            raise ConnectionError(f"the subscription to {self.queue} is gone")
        finally:
            await self._stop()

    async def _receive(self, message: IncomingMessage) -> None:
        self._waiting.append(message)
        self._arrived.set()

    async def _next_batch(self) -> list[IncomingMessage]:
        if not self._waiting:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), timeout=_IDLE_CHECK_S)
            except TimeoutError:
                return []
        if self._waiting and self._limits.linger_s and len(self._waiting) < self._limits.size:
            await asyncio.sleep(self._limits.linger_s)
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), self._limits.size))]

    async def _process(self, batch: Sequence[IncomingMessage], heartbeat: Heartbeat) -> None:
        good: list[tuple[IncomingMessage, Incoming]] = []
        for message in batch:
            incoming = _incoming(message)
            try:
                self._inspect(incoming)
            except Undecodable as problem:
                await self._dead_letter(message, incoming, problem)
            else:
                good.append((message, incoming))
        if not good:
            return
        self._instruments.consumed_batch.labels(self.queue).observe(len(good))
        if await self._attempt([incoming for _, incoming in good], heartbeat):
            await self._acknowledge([message for message, _ in good], "handled")
            return
        # One of them is the cause; alone, each of the others succeeds.
        for message, incoming in good:
            await self._process_alone(message, incoming, heartbeat)

    async def _process_alone(
        self, message: IncomingMessage, incoming: Incoming, heartbeat: Heartbeat
    ) -> None:
        for _ in range(_TRIES_ALONE):
            if await self._attempt([incoming], heartbeat):
                await self._acknowledge([message], "handled")
                return
        await self._until_database_is_back(
            lambda: self._park(incoming, f"failed {_TRIES_ALONE} times alone; the log has the cause"),
            heartbeat,
        )
        log.error("event_parked", queue=self.queue, event_id=incoming.message_id, event_type=incoming.type)
        await self._acknowledge([message], "parked")

    async def _attempt(self, batch: Sequence[Incoming], heartbeat: Heartbeat) -> bool:
        """Whether the batch is committed; False when something in it cannot be handled."""
        try:
            await self._until_database_is_back(lambda: self._handle(batch), heartbeat)
        except Exception:
            log.exception("batch_failed", queue=self.queue, size=len(batch), event_id=batch[0].message_id)
            return False
        return True

    async def _until_database_is_back(
        self, action: Callable[[], Awaitable[None]], heartbeat: Heartbeat
    ) -> None:
        pause_s = 0.05
        paused = self._instruments.consumer_paused.labels(self.queue)
        while True:
            try:
                await action()
            except DATABASE_AWAY as outage:
                if is_bad_argument(outage):
                    raise
                paused.set(1)
                heartbeat.beat()
                heartbeat.outage = f"{type(outage).__name__}: {outage}"
                log.warning("consumer_paused", queue=self.queue, error=heartbeat.outage)
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            else:
                paused.set(0)
                heartbeat.outage = None
                return

    async def _acknowledge(self, messages: Sequence[IncomingMessage], outcome: str) -> None:
        self._instruments.consumed.labels(self.queue, outcome).inc(len(messages))
        # A batch may span a reconnection: tags count anew on each channel.
        for channel, several in groupby(messages, key=lambda message: message.channel):
            await self._acknowledge_on(channel, list(several))

    async def _acknowledge_on(self, channel: object, messages: Sequence[IncomingMessage]) -> None:
        newest = messages[-1]
        try:
            if self._settled.covers(channel, [message.delivery_tag or 0 for message in messages]):
                await newest.ack(multiple=True)
                return
            for message in messages:
                await message.ack()
        except BROKER_AWAY:
            # The channel is gone; the broker delivers again, and the repeat is dropped by event id.
            return

    async def _dead_letter(self, message: IncomingMessage, incoming: Incoming, problem: Undecodable) -> None:
        self._instruments.consumed.labels(self.queue, "undecodable").inc()
        log.error(
            "message_undecodable", queue=self.queue, message_id=incoming.message_id, reason=str(problem)
        )
        self._settled.covers(message.channel, [message.delivery_tag or 0])
        try:
            await message.reject(requeue=False)
        except BROKER_AWAY:
            return

    async def _is_subscribed(self) -> bool:
        """Whether the broker still sends us this queue; sees to it that we hear of the end.

        When a queue is deleted and made again, the client restores its subscription on the same channel; there,
        RabbitMQ 3.10 was seen to deliver nothing any more. A new connection is sure to work.
        """
        subscription: Any = self._subscriber
        queue, tag = subscription._queue_obj, subscription._consumer_tag  # noqa: SLF001 - FastStream offers no other way
        if queue is None or tag is None:
            return False
        try:
            channel = await asyncio.wait_for(queue.channel.get_underlay_channel(), timeout=_IDLE_CHECK_S)
        except BROKER_AWAY:
            return False
        # A set, and a channel of its own after each reconnection: adding again is nothing or needed.
        channel.on_consumer_cancel_callbacks.add(self._on_cancelled)
        return not channel.is_closed and tag in channel.consumers

    async def _on_cancelled(self, _frame: object) -> None:
        self._cancelled = True
        self._arrived.set()

    async def _stop(self) -> None:
        """Cancel before closing: otherwise acknowledgements free prefetch and new deliveries come in and are lost."""
        try:
            subscription: Any = self._subscriber
            queue, tag = subscription._queue_obj, subscription._consumer_tag  # noqa: SLF001 - FastStream offers no other way
            if queue is not None and tag is not None:
                subscription._consumer_tag = None  # noqa: SLF001
                await asyncio.wait_for(queue.cancel(tag), timeout=2.0)
        except BROKER_AWAY as error:
            log.info("consumer_cancel_failed", queue=self.queue, error=str(error))
        self._waiting.clear()
        await self.broker.stop()


async def _as_it_came(message: RabbitMessage) -> Any:
    """FastStream's decoder: none. The bytes are the contract."""
    return message.raw_message


def _incoming(message: IncomingMessage) -> Incoming:
    lane, position = message.headers.get("lane"), message.headers.get("lane-pos")
    located = isinstance(lane, int) and isinstance(position, int)
    return Incoming(
        body=message.body,
        message_id=message.message_id or "",
        type=message.type or "",
        routing_key=message.routing_key or "",
        lane=lane if located and isinstance(lane, int) else None,
        lane_pos=position if located and isinstance(position, int) else None,
    )
