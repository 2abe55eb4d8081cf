"""Two dispatchers on one database with short waits, for the tests of what they do together."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fixtures.dispatcher import Api, ChatStandIn, Dispatcher, EventSource

QUICK = {
    "WEBHOOKS_RETRY_UNIT_S": "0.02",
    "WEBHOOKS_PROBE_FIRST_S": "0.2",
    "WEBHOOKS_PROBE_MOST_S": "0.5",
}


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
async def dispatchers(
    webhooks_database: str,
    rabbit_vhost: str,
    source: EventSource,
    chat: ChatStandIn,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Dispatcher]:
    """Two of them; calls go to the first."""
    folder = Path(tmp_path_factory.mktemp("dispatchers"))
    async with (
        Dispatcher(webhooks_database, rabbit_vhost, chat, folder / "a", **QUICK) as first,
        Dispatcher(webhooks_database, rabbit_vhost, chat, folder / "b", **QUICK),
    ):
        yield first


@pytest.fixture
def api(dispatchers: Dispatcher, chat: ChatStandIn, request: pytest.FixtureRequest) -> Api:
    """A key of an app of this test's own."""
    chat.keys[f"key of {request.node.name}"] = request.node.name
    return Api(dispatchers.url, f"key of {request.node.name}")
