"""From a published event to a verified request and its history, on a real broker and a real database."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fixtures.dispatcher import Api, ChatStandIn, Dispatcher, EventSource, make_event
from tests.fixtures.receiver import Receiver
from tests.waiting import wait_for

UNIT_S = 0.2


@pytest.fixture(scope="module")
async def chat() -> AsyncIterator[ChatStandIn]:
    async with ChatStandIn() as chat:
        yield chat


@pytest.fixture(scope="module")
async def source(rabbit_vhost: str) -> AsyncIterator[EventSource]:
    source = await EventSource.open(rabbit_vhost)
    yield source
    await source.close()


@pytest.fixture(scope="module")
async def dispatcher(
    webhooks_database: str,
    rabbit_vhost: str,
    source: EventSource,
    chat: ChatStandIn,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Dispatcher]:
    log = Path(tmp_path_factory.mktemp("dispatcher")) / "log"
    async with Dispatcher(
        webhooks_database, rabbit_vhost, chat, log, WEBHOOKS_RETRY_UNIT_S=str(UNIT_S)
    ) as dispatcher:
        yield dispatcher


@pytest.fixture
def api(dispatcher: Dispatcher, chat: ChatStandIn, request: pytest.FixtureRequest) -> Api:
    """A key of an app of this test's own."""
    chat.keys[f"key of {request.node.name}"] = request.node.name
    return Api(dispatcher.url, f"key of {request.node.name}")


async def test_an_event_arrives_signed_with_its_stored_bytes(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(f"{receiver.url}/hook", "message.new")
        receiver.trust(webhook["secret"])
        body = make_event(request.node.name)
        await source.publish(body, make_event(request.node.name, "channel.updated"))
        [received] = await receiver.wait_for(1)
        assert received.problem is None
        assert received.body == body
        assert received.headers["content-type"] == "application/cloudevents+json"
        assert received.headers["user-agent"] == "ChatSDK-Webhooks/1.0"
        assert received.headers["webhook-id"] == json.loads(body)["id"]
        assert received.headers["x-chatsdk-event"] == "message.new"
        assert received.headers["x-chatsdk-attempt"] == "1"
        assert received.headers["x-chatsdk-webhook-sequence"] == "1"

        async def is_recorded() -> bool:
            return [one["status"] for one in await api.deliveries(webhook["id"])] == ["succeeded"]

        await wait_for(is_recorded, 5)
        [delivery] = await api.deliveries(webhook["id"])
        assert delivery["id"] == received.headers["x-chatsdk-delivery-id"]
        assert delivery["success"] is True
        assert delivery["statusCode"] == 200
        assert (delivery["attempts"], delivery["retryCount"]) == (1, 0)
