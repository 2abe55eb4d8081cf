"""The hub on a real database: gaps are filled from the log, too large ones reset, nothing comes twice."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from chat_service.auth.principal import Principal
from chat_service.instruments import RealtimeInstruments
from chat_service.realtime.connection import Connection, SocketLimits
from chat_service.realtime.hub import Hub
from chat_service.realtime.topic import Topic
from chatsdk_contracts.envelope import subject_of
from chatsdk_contracts.ids import AppId, ChannelId, UserId
from chatsdk_runtime.postgres import Pool
from tests.integration.chat_service.channel_rows import (
    a_channel,
    a_pool,
    a_send,
    an_app,
    rows,
    running_writer,
)
from tests.waiting import wait_for

MOST_FILLED = 4


class Room:
    """A channel with committed messages, a hub without a broker, and one follower."""

    def __init__(self, pool: Pool, app_id: AppId, channel_id: ChannelId) -> None:
        self.app_id, self.channel_id = app_id, channel_id
        self.pool = pool
        self.hub = Hub(pool, RealtimeInstruments(CollectorRegistry()), most_filled=MOST_FILLED)
        self.heard: list[str] = []
        self.connection = Connection(
            self._hear,
            connection_id="c",
            caller=Principal("user", app_id, user_id=UserId("ann")),
            token="t",
            client_id=None,
            expires_at=0.0,
            limits=SocketLimits(),
        )
        self._writer = asyncio.create_task(self.connection.run_writer())

    async def _hear(self, text: str) -> None:
        self.heard += text.split("\n")

    async def follow(self) -> Topic:
        self.hub.add(self.connection)
        [topic] = await self.hub.open(self.app_id, [subject_of("channels", self.channel_id)])
        self.hub.follow(self.connection, topic)
        return topic

    async def send(self, database: str, count: int) -> list[bytes]:
        """Commit messages; returns their events' bytes in order."""
        before = len(await self.bodies())
        async with running_writer(database) as writer:
            for number in range(count):
                await writer.write(a_send(self.app_id, self.channel_id, f"{before}-{number}"))
        return (await self.bodies())[before:]

    async def bodies(self) -> list[bytes]:
        found = await rows(
            self.pool,
            "select body from event where channel_id = $1::text::uuid order by version",
            self.channel_id,
        )
        return [row["body"] for row in found]

    def versions(self) -> list[int]:
        """Versions of the events heard."""
        frames: list[dict[str, Any]] = [json.loads(one) for one in self.heard]
        return [int(one["event"]["sequence"]) for one in frames if one["type"] == "event"]

    async def hears(self, *versions: int) -> None:
        await wait_for(lambda: self.versions() == list(versions), what=lambda: str(self.heard)[:500])

    async def end(self) -> None:
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)


@pytest.fixture
async def room(chat_database: str) -> AsyncIterator[Room]:
    async with a_pool(chat_database) as pool:
        app_id = await an_app(pool, ["ann"])
        made = Room(pool, app_id, await a_channel(pool, app_id, ["ann"]))
        yield made
        await made.end()


async def test_events_out_of_order_and_repeated_are_heard_once_and_in_order(
    room: Room, chat_database: str
) -> None:
    await room.follow()
    bodies = await room.send(chat_database, 5)

    for place in (0, 2, 1, 2, 4, 0, 3):
        room.hub.receive(bodies[place], None)

    await room.hears(1, 2, 3, 4, 5)


async def test_what_the_broker_never_brings_is_found_by_comparing(room: Room, chat_database: str) -> None:
    await room.follow()
    await room.send(chat_database, 3)

    await room.hub.resync()

    await room.hears(1, 2, 3)


async def test_a_gap_that_is_too_large_is_told_as_a_reset_and_events_go_on_after_it(
    room: Room, chat_database: str
) -> None:
    await room.follow()
    bodies = await room.send(chat_database, 5)
    room.hub.receive(bodies[-1], None)
    await wait_for(lambda: room.heard, what="a reset")
    [after] = await room.send(chat_database, 1)
    room.hub.receive(after, None)

    await room.hears(6)
    reset = json.loads(room.heard[0])
    assert (reset["type"], reset["channelId"], reset["cv"]) == ("reset", room.channel_id, 5)


async def test_events_that_are_not_kept_any_more_are_told_as_a_reset(room: Room, chat_database: str) -> None:
    await room.follow()
    bodies = await room.send(chat_database, 3)
    await room.pool.execute(
        "delete from event where channel_id = $1::text::uuid and version = 2", room.channel_id
    )
    room.hub.receive(bodies[2], None)

    await wait_for(lambda: room.heard, what="a reset")

    assert json.loads(room.heard[0])["type"] == "reset"


async def test_a_topic_that_nobody_follows_is_forgotten(room: Room) -> None:
    topic = await room.follow()
    room.hub.unfollow(room.connection, topic.key)

    assert room.hub.topics == []
    room.hub.remove(room.connection)
    assert room.hub.connections == []
