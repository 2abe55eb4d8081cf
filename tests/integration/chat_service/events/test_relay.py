"""The relay on a real database and broker: dense positions, order, outages, take-over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import aio_pika
import pytest
from prometheus_client import CollectorRegistry

from chat_service.events import store
from chat_service.events.relay import Relay, RelayTimes
from chat_service.instruments import RelayInstruments
from chatsdk_contracts.envelope import parse_head
from chatsdk_contracts.ids import new_id
from chatsdk_contracts.topology import LANES, METRICS_QUEUE
from chatsdk_runtime.fault_points import FaultPoints
from chatsdk_runtime.loops import BackgroundLoops
from chatsdk_runtime.postgres import DATABASE_AWAY, Pool, reading, transaction
from chatsdk_runtime.rabbit import BROKER_AWAY
from tests.fixtures.rabbitmq import RabbitServer
from tests.integration.chat_service.channel_rows import (
    a_channel,
    a_pool,
    a_send,
    an_app,
    rows,
    running_writer,
)
from tests.waiting import wait_for


@pytest.fixture
async def pool(chat_database: str) -> AsyncIterator[Pool]:
    async with a_pool(chat_database) as made:
        yield made


@asynccontextmanager
async def running_relay(
    pool: Pool, database: str, broker: str, *, lease_s: float = 8.0, registry: CollectorRegistry | None = None
) -> AsyncIterator[BackgroundLoops]:
    """A relay with its three loops; resigns at the end."""
    relay = Relay(
        pool,
        direct_url=database,
        rabbitmq_url=broker,
        times=RelayTimes(poll_s=0.02, lease_s=lease_s),
        instruments=RelayInstruments(registry or CollectorRegistry()),
        faults=FaultPoints(),
    )
    loops = BackgroundLoops(outages=(*DATABASE_AWAY, *BROKER_AWAY))
    loops.start("lead", relay.lead)
    loops.start("number", relay.number)
    loops.start("publish", relay.publish)
    try:
        yield loops
    finally:
        await loops.stop()
        await relay.resign()


async def write(pool: Pool, database: str, count: int, *, channels: int = 8) -> None:
    """Commit `count` messages over several channels."""
    app = await an_app(pool, ["ann"])
    targets = [await a_channel(pool, app, ["ann"]) for _ in range(channels)]
    async with running_writer(database) as writer:
        await asyncio.gather(
            *(writer.write(a_send(app, targets[number % channels], f"m{number}")) for number in range(count))
        )


async def all_published(pool: Pool) -> bool:
    """Whether the log has nothing left to number or to publish."""
    async with reading(pool) as connection:
        waiting = await connection.fetchval("select count(*) from event where lane_pos is null")
        return waiting == 0 and await store.backlog(connection) == 0


async def consumed(broker: str) -> list[aio_pika.abc.AbstractIncomingMessage]:
    """Everything in the metrics queue now."""
    connection = await aio_pika.connect(broker)
    try:
        queue = await (await connection.channel()).get_queue(METRICS_QUEUE)
        messages = []
        while (message := await queue.get(no_ack=True, fail=False)) is not None:
            messages.append(message)
        return messages
    finally:
        await connection.close()


async def test_what_is_committed_is_published_in_the_order_of_each_channel(
    pool: Pool, chat_database: str, rabbit_vhost: str
) -> None:
    async with running_relay(pool, chat_database, rabbit_vhost):
        await write(pool, chat_database, 400)
        await wait_for(lambda: all_published(pool), what="everything is published")

    messages = await consumed(rabbit_vhost)
    stored = {str(row["id"]): row["body"] for row in await rows(pool, "select id, body from event")}
    assert {message.message_id: message.body for message in messages} == stored
    versions: dict[str, list[int]] = {}
    for message in messages:
        head = parse_head(message.body)
        versions.setdefault(head.subject, []).append(int(head.sequence or 0))
    assert all(seen == sorted(seen) for seen in versions.values())
    numbered = await rows(
        pool, "select lane, array_agg(lane_pos order by lane_pos) as positions from event group by lane"
    )
    assert all(row["positions"] == list(range(1, len(row["positions"]) + 1)) for row in numbered)


async def test_numbering_goes_on_without_a_broker_and_all_is_published_after(
    pool: Pool, chat_database: str, rabbit_vhost: str, rabbit_server: RabbitServer
) -> None:
    registry = CollectorRegistry()

    def backlog() -> float:
        return registry.get_sample_value("chatsdk_relay_backlog_events") or 0

    await asyncio.to_thread(rabbit_server.kill)
    try:
        async with running_relay(pool, chat_database, rabbit_vhost, registry=registry):
            await write(pool, chat_database, 200)
            await wait_for(lambda: _numbered(pool), what="everything is numbered while the broker is away")
            assert not await all_published(pool)
            await wait_for(lambda: backlog() >= 200, what="the backlog is told")
            await asyncio.to_thread(rabbit_server.start)
            await wait_for(lambda: all_published(pool), within_s=40, what="everything is published")
            await wait_for(lambda: backlog() == 0, what="the backlog is gone")
    finally:
        await asyncio.to_thread(rabbit_server.start)

    ids = {message.message_id for message in await consumed(rabbit_vhost)}
    assert ids >= {
        str(row["id"]) for row in await rows(pool, "select id from event order by id desc limit 200")
    }


async def test_connections_closed_by_force_lose_nothing(
    pool: Pool, chat_database: str, rabbit_vhost: str, rabbit_server: RabbitServer
) -> None:
    async with running_relay(pool, chat_database, rabbit_vhost):
        for _ in range(5):
            await write(pool, chat_database, 60)
            await asyncio.to_thread(rabbit_server.close_connections)
        await wait_for(lambda: all_published(pool), within_s=30, what="everything is published")

    messages = await consumed(rabbit_vhost)
    recent = {str(row["id"]) for row in await rows(pool, "select id from event order by id desc limit 300")}
    assert recent <= {message.message_id for message in messages}
    first_seen: dict[str, dict[str, int]] = {}
    for place, message in enumerate(messages):
        head = parse_head(message.body)
        first_seen.setdefault(head.subject, {}).setdefault(head.sequence or "", place)
    for seen in first_seen.values():
        in_order = [place for _, place in sorted((int(version), place) for version, place in seen.items())]
        assert in_order == sorted(in_order)


async def test_replicas_share_the_lanes_and_the_survivor_takes_them_all(
    pool: Pool, chat_database: str, rabbit_vhost: str
) -> None:
    async with running_relay(pool, chat_database, rabbit_vhost, lease_s=1.0):
        async with running_relay(pool, chat_database, rabbit_vhost, lease_s=1.0):
            await wait_for(lambda: _led(pool, [8, 8]), what="eight lanes each")
            await write(pool, chat_database, 100)
            await wait_for(lambda: all_published(pool), what="everything is published")
        await wait_for(lambda: _led(pool, [LANES]), what="the survivor leads all lanes")
        await write(pool, chat_database, 100)
        await wait_for(lambda: all_published(pool), what="everything is published by one")


async def test_a_watermark_that_a_crash_forgot_is_written_again(
    pool: Pool, chat_database: str, rabbit_vhost: str
) -> None:
    async with running_relay(pool, chat_database, rabbit_vhost, lease_s=1.0):
        await write(pool, chat_database, 100)
        await wait_for(lambda: all_published(pool), what="everything is published")
        await pool.execute("update relay_lane set published_pos = published_pos / 2")

        await wait_for(lambda: all_published(pool), what="the watermarks are back")


async def test_a_leader_that_was_overtaken_numbers_nothing(pool: Pool, chat_database: str) -> None:
    overtaken, leader = UUID(new_id()), UUID(new_id())
    await write(pool, chat_database, 8)
    await pool.execute(
        "update relay_lane set leader = $1, leader_until = now() + interval '1 minute'", leader
    )
    waiting = {row["lane"] for row in await rows(pool, "select lane from event where lane_pos is null")}

    async with transaction(pool) as tx:
        everything = UUID(int=0)
        assert await store.lock_unnumbered(tx, range(LANES), overtaken, everything) == {}
        assert (await store.lock_unnumbered(tx, range(LANES), leader, everything)).keys() == waiting


async def _numbered(pool: Pool) -> bool:
    (row,) = await rows(pool, "select count(*) as waiting from event where lane_pos is null")
    return bool(row["waiting"] == 0)


async def _led(pool: Pool, shares: list[int]) -> bool:
    found = await rows(
        pool, "select count(*) as lanes from relay_lane where leader is not null group by leader order by 1"
    )
    return [row["lanes"] for row in found] == shares
