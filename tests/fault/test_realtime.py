"""Sockets while the broker's connections are cut and replicas die: nothing lost, nothing twice, everything in order."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.fixtures.callers import AppCaller
from tests.fixtures.rabbitmq import RabbitServer
from tests.fixtures.services import NewStack, ServiceProcess, Stack
from tests.fixtures.socket_client import SocketClient

CUTS = 20
QUICK_BEAT = {"CHAT_HEARTBEAT_INTERVAL_S": "1"}


@pytest.fixture
async def stack(new_stack: NewStack) -> AsyncIterator[Stack]:
    async with new_stack(chat=QUICK_BEAT) as running:
        yield running


async def _keep_sending(app: AppCaller, room: str, enough: asyncio.Event) -> list[str]:
    """Send one message after the other until told; returns what was acknowledged, in order."""
    texts: list[str] = []
    while not enough.is_set():
        text = f"m{len(texts)}"
        reply = await app.send(room, "ann", text, clientMsgId=text)
        if reply.status in {200, 201}:
            texts.append(text)
    return texts


async def test_cutting_the_brokers_connections_twenty_times_is_not_noticed_by_clients(
    stack: Stack, rabbit_server: RabbitServer
) -> None:
    app = await stack.new_app()
    room = await app.channel("ann", "bob")
    token = await app.token("bob")
    async with SocketClient(stack.chat.url, token) as follower, SocketClient(stack.chat.url, token) as lazy:
        await follower.connected(channels="all")
        await follower.until(lambda: follower.of("sync"))
        await lazy.connected()
        await lazy.subscribe(room)
        enough = asyncio.Event()
        sending = asyncio.create_task(_keep_sending(app, room, enough))
        for cut in range(CUTS):
            goal = (cut + 1) * 5
            await lazy.until(lambda goal=goal: len(lazy.texts.get(room, [])) >= goal, 30)  # type: ignore[misc]  # bound now
            await asyncio.to_thread(rabbit_server.close_connections)
        enough.set()
        sent = await sending

        for client in (follower, lazy):
            await client.until(lambda client=client: client.texts.get(room) == sent, 30)  # type: ignore[misc]  # bound now
            assert client.faults == []
            assert client.close_code is None, "the socket stayed open"


async def test_users_on_two_replicas_see_each_other_also_when_one_replica_is_killed(stack: Stack) -> None:
    app = await stack.new_app()
    room = await app.channel("ann", "bob")
    second: ServiceProcess = await stack.add_replica("chat", **QUICK_BEAT)
    async with (
        SocketClient(stack.chat.url, await app.token("ann")) as ann,
        SocketClient(second.url, await app.token("bob")) as bob,
    ):
        await ann.connected(channels="all")
        await bob.connected(channels="all")
        await bob.until(lambda: bob.of("sync") and ann.of("sync"))
        await ann.ask("message.send", channelId=room, message={"text": "from ann"})
        await bob.ask("message.send", channelId=room, message={"text": "from bob"})
        await ann.until(lambda: ann.texts.get(room) == ["from ann", "from bob"])
        await bob.until(lambda: bob.texts.get(room) == ["from ann", "from bob"])
        await bob.until(lambda: bob.cursor and any("cursor" in one for one in bob.of("heartbeat")))

        await second.kill()
        await bob.until(lambda: bob.close_code)
        for number in range(20):
            await ann.ask("message.send", channelId=room, message={"text": f"while away {number}"})
        bob.url = stack.chat.url
        await bob.connected(cursor=bob.cursor)
        await ann.ask("message.send", channelId=room, message={"text": "welcome back"})

        expected = ["from ann", "from bob", *(f"while away {number}" for number in range(20)), "welcome back"]
        await bob.until(lambda: bob.texts.get(room) == expected, 20)
        await ann.until(lambda: ann.texts.get(room) == expected, 20)
        assert ann.faults == bob.faults == []
