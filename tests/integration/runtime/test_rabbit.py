"""Publishing that proves, and consuming that acknowledges after the commit, on a real RabbitMQ."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from chatsdk_contracts import topology
from chatsdk_runtime.consume import BatchConsumer, BatchLimits, Incoming, Undecodable
from chatsdk_runtime.instruments import RuntimeInstruments
from chatsdk_runtime.loops import BackgroundLoops
from chatsdk_runtime.rabbit import BROKER_AWAY, OutgoingMessage, Publisher, declare
from tests.fixtures.rabbitmq import RabbitServer
from tests.waiting import wait_for

QUEUE = topology.METRICS_QUEUE
DEAD = topology.dead_letter_queue(QUEUE)


def message(number: int, body: bytes = b"good", key: str = "a.b.c.d.e") -> OutgoingMessage:
    return OutgoingMessage(key, body, str(number), "t", headers={"lane": 3, "lane-pos": number})


@asynccontextmanager
async def publisher(url: str) -> AsyncIterator[Publisher]:
    opened = await Publisher.open(url, name="test")
    try:
        await declare(opened.channel, topology.definitions())
        yield opened
    finally:
        await opened.close()


async def waiting_in(url: str, queue: str) -> int:
    async with publisher(url) as opened:
        return int((await opened.channel.queue_declare(queue, passive=True)).message_count or 0)


@dataclass
class Handler:
    """Remembers what it committed; fails or is without a database when told to."""

    committed: list[str] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)
    positions: list[tuple[int | None, int | None]] = field(default_factory=list)
    away: bool = False
    hold: asyncio.Event | None = None
    attempts: int = 0

    async def handle(self, batch: Sequence[Incoming]) -> None:
        self.attempts += 1
        if self.away:
            raise ConnectionRefusedError("no database")
        if any(one.body == b"poison" for one in batch):
            raise ValueError("poison")
        self.committed.extend(one.message_id for one in batch)
        self.positions.extend((one.lane, one.lane_pos) for one in batch)
        self.batches.append(len(batch))
        if self.hold is not None:
            await self.hold.wait()

    def inspect(self, incoming: Incoming) -> None:
        if incoming.body == b"nonsense":
            raise Undecodable("not what this queue carries")

    async def park(self, incoming: Incoming, reason: str) -> None:
        if self.away:
            raise ConnectionRefusedError("no database")
        self.parked.append(incoming.message_id)


@asynccontextmanager
async def consuming(
    url: str, handler: Handler, registry: CollectorRegistry
) -> AsyncIterator[BackgroundLoops]:
    loops = BackgroundLoops(outages=BROKER_AWAY)
    instruments = RuntimeInstruments(registry)
    consumer = BatchConsumer(
        url,
        QUEUE,
        handle=handler.handle,
        inspect=handler.inspect,
        park=handler.park,
        limits=BatchLimits(prefetch=100, size=50, linger_s=0.02),
        instruments=instruments,
    )
    loops.start("consumer", consumer.run)
    try:
        yield loops
    finally:
        await loops.stop()
        assert not loops.failed.is_set(), loops.failure


async def test_confirms_come_for_messages_in_order(new_vhost: Callable[[], str]) -> None:
    url, handler = new_vhost(), Handler()
    async with publisher(url) as opened:
        outcome = await opened.publish(
            topology.EVENTS_EXCHANGE, [message(n) for n in range(1, 501)], window=64
        )
    assert (outcome.confirmed, outcome.failure) == (500, None)
    async with consuming(url, handler, CollectorRegistry()):
        await wait_for(lambda: len(handler.committed) == 500, what="all messages")
    assert handler.committed == [str(n) for n in range(1, 501)]
    assert handler.positions[0] == (3, 1)
    assert max(handler.batches) == 50


async def test_a_returned_message_is_a_failure_and_what_was_before_it_is_confirmed(
    new_vhost: Callable[[], str],
) -> None:
    url = new_vhost()
    async with publisher(url) as opened:
        direct = topology.DEAD_LETTER_EXCHANGE
        messages = [message(1, key=QUEUE), message(2, key=QUEUE), message(3, key="no such queue")]
        outcome = await opened.publish(direct, [*messages, message(4, key=QUEUE)], window=2)
        assert outcome.confirmed == 2
        assert outcome.failure is not None
        assert opened.is_open
        again = await opened.publish(direct, [message(5, key=QUEUE)], window=1)
        assert again.confirmed == 1


async def test_an_exchange_that_does_not_exist_is_a_failure(new_vhost: Callable[[], str]) -> None:
    async with publisher(new_vhost()) as opened:
        outcome = await opened.publish("nowhere", [message(1)], window=1)
        assert outcome.confirmed == 0
        assert outcome.failure is not None
        assert not opened.is_open


async def test_declaring_again_changes_nothing(new_vhost: Callable[[], str]) -> None:
    async with publisher(new_vhost()) as opened:
        for _ in range(2):
            await declare(opened.channel, topology.definitions())


async def test_nothing_is_acknowledged_before_its_commit(new_vhost: Callable[[], str]) -> None:
    url, held = new_vhost(), Handler(hold=asyncio.Event())
    async with publisher(url) as opened:
        await opened.publish(topology.EVENTS_EXCHANGE, [message(n) for n in range(10)], window=10)
        async with consuming(url, held, CollectorRegistry()):
            await wait_for(lambda: held.committed, what="the first batch")
        # Ended before `handle` returned: whatever it took comes again.
        again = Handler()
        async with consuming(url, again, CollectorRegistry()):
            await wait_for(lambda: len(again.committed) == 10, what="the same messages again")
        assert again.committed == [str(n) for n in range(10)]
    assert await waiting_in(url, QUEUE) == 0


async def test_what_cannot_be_decoded_is_dead_lettered_at_once(new_vhost: Callable[[], str]) -> None:
    url, handler, registry = new_vhost(), Handler(), CollectorRegistry()
    async with publisher(url) as opened, consuming(url, handler, registry):
        batch = [message(1), message(2, b"nonsense"), message(3)]
        await opened.publish(topology.EVENTS_EXCHANGE, batch, window=10)
        await wait_for(lambda: len(handler.committed) == 2, what="the good ones")
        await wait_for(lambda: waiting_in(url, DEAD), what="the dead letter")
    assert handler.committed == ["1", "3"]
    labels = {"queue": QUEUE, "outcome": "undecodable"}
    assert registry.get_sample_value("chatsdk_broker_messages_consumed_total", labels) == 1


async def test_a_message_that_fails_alone_is_parked_and_the_others_are_handled(
    new_vhost: Callable[[], str],
) -> None:
    url, handler, registry = new_vhost(), Handler(), CollectorRegistry()
    async with publisher(url) as opened, consuming(url, handler, registry):
        batch = [message(1), message(2, b"poison"), message(3)]
        await opened.publish(topology.EVENTS_EXCHANGE, batch, window=10)
        await wait_for(lambda: len(handler.committed) == 2 and handler.parked, what="all to be dealt with")
        assert (handler.committed, handler.parked) == (["1", "3"], ["2"])
        labels = {"queue": QUEUE, "outcome": "parked"}
        await wait_for(
            lambda: registry.get_sample_value("chatsdk_broker_messages_consumed_total", labels) == 1,
            what="the metric",
        )
    assert await waiting_in(url, QUEUE) == 0
    assert await waiting_in(url, DEAD) == 0


async def test_a_database_outage_pauses_and_dead_letters_nothing(new_vhost: Callable[[], str]) -> None:
    url, handler, registry = new_vhost(), Handler(away=True), CollectorRegistry()
    paused = {"queue": QUEUE}
    async with publisher(url) as opened, consuming(url, handler, registry) as loops:
        await opened.publish(topology.EVENTS_EXCHANGE, [message(n) for n in range(200)], window=50)
        await wait_for(lambda: handler.attempts >= 4, what="some attempts")
        assert registry.get_sample_value("chatsdk_broker_consumer_paused", paused) == 1
        assert "no database" in (loops.heartbeats[0].outage or "")
        # No more than the prefetch is taken, nothing is given back or refused.
        assert await waiting_in(url, QUEUE) == 100
        handler.away = False
        await wait_for(lambda: len(handler.committed) == 200, what="everything after the outage")
        assert registry.get_sample_value("chatsdk_broker_consumer_paused", paused) == 0
    assert handler.committed == [str(n) for n in range(200)]
    assert handler.parked == []
    assert await waiting_in(url, DEAD) == 0


async def test_consuming_goes_on_after_the_broker_closed_the_connections(
    new_vhost: Callable[[], str], rabbit_server: RabbitServer
) -> None:
    url, handler = new_vhost(), Handler()
    async with consuming(url, handler, CollectorRegistry()):
        async with publisher(url) as opened:
            await opened.publish(topology.EVENTS_EXCHANGE, [message(1)], window=1)
        await wait_for(lambda: handler.committed == ["1"], what="the first message")
        await asyncio.to_thread(rabbit_server.close_connections)
        async with publisher(url) as opened:
            await opened.publish(topology.EVENTS_EXCHANGE, [message(2)], window=1)
        await wait_for(lambda: "2" in handler.committed, within_s=20, what="the second message")


async def test_a_queue_that_was_deleted_is_consumed_again_once_it_is_back(
    new_vhost: Callable[[], str],
) -> None:
    url, handler = new_vhost(), Handler()
    async with publisher(url) as opened, consuming(url, handler, CollectorRegistry()) as loops:
        await opened.publish(topology.EVENTS_EXCHANGE, [message(1)], window=1)
        await wait_for(lambda: handler.committed == ["1"], what="the first message")
        await opened.channel.queue_delete(QUEUE)
        await wait_for(lambda: loops.heartbeats[0].outage, within_s=20, what="the loss to be noticed")
        await declare(opened.channel, topology.definitions())
        await opened.publish(topology.EVENTS_EXCHANGE, [message(2)], window=1)
        await wait_for(lambda: "2" in handler.committed, within_s=20, what="the second message")
