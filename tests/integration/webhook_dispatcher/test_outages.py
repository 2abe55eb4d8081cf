"""The database and the broker go away under load, and come back: everything is delivered, untouched by hand."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fixtures.dispatcher import Api, ChatStandIn, Dispatcher, EventSource, make_event
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.rabbitmq import RabbitServer
from tests.fixtures.receiver import Receiver
from tests.waiting import wait_for

SHORT_SESSIONS = {"WEBHOOKS_SESSION_RENEW_S": "0.3", "WEBHOOKS_SESSION_DEAD_S": "1.5"}


@pytest.fixture(scope="module")
async def source(rabbit_vhost: str) -> AsyncIterator[EventSource]:
    source = await EventSource.open(rabbit_vhost)
    yield source
    await source.close()


@pytest.fixture(scope="module")
async def chat() -> AsyncIterator[ChatStandIn]:
    async with ChatStandIn() as chat:
        chat.keys["k"] = "outage"
        yield chat


@pytest.fixture
async def dispatcher(
    webhooks_database: str, rabbit_vhost: str, source: EventSource, chat: ChatStandIn, tmp_path: Path
) -> AsyncIterator[Dispatcher]:
    async with Dispatcher(
        webhooks_database, rabbit_vhost, chat, tmp_path / "log", **SHORT_SESSIONS
    ) as dispatcher:
        yield dispatcher


async def _all_succeed(api: Api, webhook_id: str, count: int) -> None:
    async def is_so() -> bool:
        status, answer, _ = await api.call("GET", f"/api/webhooks/{webhook_id}/deliveries?limit=100")
        return status == 200 and [one["status"] for one in answer["deliveries"]] == ["succeeded"] * count

    await wait_for(is_so, 30, "all succeeded")


async def test_a_database_that_is_killed_and_comes_back_loses_no_delivery(
    dispatcher: Dispatcher,
    source: EventSource,
    postgres_server: PostgresServer,
    rabbit_server: RabbitServer,
    rabbit_vhost: str,
) -> None:
    async with Receiver() as receiver:
        api = Api(dispatcher.url, "k")
        webhook = await api.webhook(receiver.url)
        events = [make_event("outage") for _ in range(60)]
        await source.publish(*events[:20])
        await receiver.wait_for(5)
        await asyncio.to_thread(postgres_server.kill)
        await source.publish(*events[20:40])
        await wait_for(lambda: "consumer_paused" in dispatcher.log, 15, "the consumer to pause")
        await asyncio.to_thread(postgres_server.start)
        await source.publish(*events[40:])
        await _all_succeed(api, webhook["id"], 60)
        assert {one.body for one in receiver.received} == set(events)
        assert dispatcher.process.returncode is None
        counts = rabbit_server.ready_counts(rabbit_vhost.rsplit("/", 1)[1])
        assert counts["webhook-dispatcher.plan.dlq"] == 0
        await api.ok("DELETE", f"/api/webhooks/{webhook['id']}")


async def test_broker_connections_that_are_closed_are_made_again(
    dispatcher: Dispatcher, rabbit_server: RabbitServer, rabbit_vhost: str
) -> None:
    async with Receiver() as receiver:
        api = Api(dispatcher.url, "k")
        webhook = await api.webhook(receiver.url)
        source = await EventSource.open(rabbit_vhost)
        await source.publish(*(make_event("outage") for _ in range(20)))
        await asyncio.to_thread(rabbit_server.close_connections)
        await source.close()
        source = await EventSource.open(rabbit_vhost)
        await source.publish(*(make_event("outage") for _ in range(20)))
        await _all_succeed(api, webhook["id"], 40)
        await source.close()
        assert dispatcher.process.returncode is None
