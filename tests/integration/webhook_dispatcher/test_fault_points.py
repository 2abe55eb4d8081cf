"""Killed between a commit and what follows it: the next start delivers, and plans nothing twice."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fixtures.dispatcher import Api, ChatStandIn, Dispatcher, EventSource, make_event
from tests.fixtures.receiver import Receiver
from tests.waiting import wait_for

SHORT_SESSIONS = {"WEBHOOKS_SESSION_RENEW_S": "0.3", "WEBHOOKS_SESSION_DEAD_S": "1.5"}


@pytest.fixture(scope="module")
async def source(rabbit_vhost: str) -> AsyncIterator[EventSource]:
    source = await EventSource.open(rabbit_vhost)
    yield source
    await source.close()


@pytest.mark.parametrize(
    ("place", "may_repeat"), [("plan.committed:1", False), ("send.done:3", True), ("plan.committed:2", True)]
)
async def test_a_kill_at_this_place_loses_nothing(
    webhooks_database: str,
    rabbit_vhost: str,
    source: EventSource,
    tmp_path: Path,
    place: str,
    may_repeat: bool,
) -> None:
    async with ChatStandIn() as chat, Receiver() as receiver:
        chat.keys["k"] = f"app {place}"
        doomed = Dispatcher(
            webhooks_database,
            rabbit_vhost,
            chat,
            tmp_path / "a",
            CHATSDK_FAULT_POINTS=place,
            **SHORT_SESSIONS,
        )
        await doomed.start()
        webhook = await Api(doomed.url, "k").webhook(receiver.url)
        receiver.trust(webhook["secret"])
        events = [make_event(f"app {place}") for _ in range(20)]
        await source.publish(*events[:10])
        await wait_for(lambda: place.endswith(":1") or receiver.received or doomed.process.returncode, 10)
        await source.publish(*events[10:])
        await wait_for(lambda: doomed.process.returncode == -9, 10, "the kill")
        async with Dispatcher(
            webhooks_database, rabbit_vhost, chat, tmp_path / "b", **SHORT_SESSIONS
        ) as reborn:
            api = Api(reborn.url, "k")

            async def are_done() -> bool:
                return [one["status"] for one in await api.deliveries(webhook["id"])] == ["succeeded"] * 20

            await wait_for(are_done, 20)
            assert {one.body for one in receiver.verified} == set(events)
            order = {one.body: int(one.headers["x-chatsdk-webhook-sequence"]) for one in receiver.received}
            assert [order[event] for event in events] == list(range(1, 21))
            if not may_repeat:
                assert len(receiver.received) == 20


async def test_nothing_is_armed_in_production(
    webhooks_database: str, rabbit_vhost: str, source: EventSource, tmp_path: Path
) -> None:
    async with (
        ChatStandIn() as chat,
        Receiver() as receiver,
        Dispatcher(
            webhooks_database,
            rabbit_vhost,
            chat,
            tmp_path / "log",
            CHATSDK_ENV="production",
            CHATSDK_FAULT_POINTS="plan.committed:1,send.done:1",
        ) as dispatcher,
    ):
        chat.keys["k"] = "app production"
        await Api(dispatcher.url, "k").webhook(receiver.url)
        await source.publish(make_event("app production"))
        await receiver.wait_for(1)
        assert dispatcher.process.returncode is None
