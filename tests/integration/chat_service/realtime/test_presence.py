"""Typing and presence over two replicas, one of which dies, and a crowd told as counts; on a real broker."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from uuid import UUID

import pytest

from tests.fixtures.rabbitmq import RabbitServer
from tests.fixtures.socket_client import SocketClient
from tests.integration.chat_service.calling import Tenant
from tests.integration.chat_service.composed import Replica, running_replica, socket_to
from tests.waiting import wait_for

QUICK = {
    "heartbeat_interval_s": 0.3,
    "typing_lifetime_s": 0.6,
    "large_channel_members": 3,
    "presence_renew_s": 0.1,
    "presence_dead_after_s": 1.0,
    "presence_grace_s": 0.3,
}


@pytest.fixture(scope="module")
async def replicas(chat_database: str, rabbit_vhost: str) -> AsyncIterator[list[Replica]]:
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(running_replica(chat_database, rabbit_vhost, **QUICK))
            for _ in range(2)
        ]


@pytest.fixture
async def app(replicas: list[Replica]) -> Tenant:
    return await replicas[0].chat.new_tenant()


def typing_of(client: SocketClient) -> list[str]:
    """What a client was told of who types, in order."""
    events = [one["event"] for one in client.of("event")]
    return [
        f"{one['data']['userId']} {one['type'].removeprefix('typing.')}"
        for one in events
        if one["type"].startswith("typing.")
    ]


def shown(client: SocketClient, user: str) -> Callable[[], str | None]:
    """How a client saw a user last."""

    def last() -> str | None:
        told = [one for frame in client.of("presence") for one in frame["users"] if one["userId"] == user]
        return str(told[-1]["status"]) if told else None

    return last


async def test_typing_is_told_to_the_others_once_and_ends_with_time_a_message_or_the_socket(
    replicas: list[Replica], app: Tenant
) -> None:
    first, second = replicas
    ann, bob = await app.users("ann", "bob")
    room = (await ann.channel(type="group", memberIds=["bob"]))["id"]
    elsewhere = Tenant(second.chat, app.id, app.key)
    async with socket_to(first, ann.token) as typist, socket_to(second, bob.token) as reader:
        await typist.connected()
        await typist.subscribe(room)
        await reader.connected()
        await reader.subscribe(room)

        said = await typist.ask("typing", channelId=room, typing=True)
        again = (await ann.call("POST", f"/api/channels/{room}/typing", {"typing": True})).json()
        await reader.until(lambda: typing_of(reader) == ["ann start", "ann stop"])
        told = reader.events("typing.start")[0]["data"]["expiresAt"]
        assert said["body"]["expiresAt"] == again["expiresAt"] == told

        await typist.ask("typing", channelId=room, typing=True)
        # By way of the other replica, so that only the broker tells the first.
        sent = await elsewhere.server(
            "POST", f"/api/channels/{room}/messages", {"text": "said", "userId": "ann"}
        )
        assert sent.status_code == 201, sent.text
        await reader.until(lambda: typing_of(reader)[2:] == ["ann start", "ann stop"])

        await typist.ask("typing", channelId=room, typing=True)
        await typist.disconnect()
        await reader.until(lambda: typing_of(reader)[4:] == ["ann start", "ann stop"])
        started, stopped = (
            [one["data"]["expiresAt"] for one in reader.events(f"typing.{kind}")]
            for kind in ("start", "stop")
        )
        assert started[0] <= stopped[0], "it was over"
        assert (stopped[1] < started[1], stopped[2] < started[2]) == (True, True), "it was ended before"
        assert typing_of(typist) == []
        assert reader.faults == []
        assert reader.texts[room] == ["said"]
        assert first.sample("chatsdk_typing_events_total", action="start") == 3
        assert first.sample("chatsdk_typing_events_total", action="stop") == 3
        assert first.sample("chatsdk_ephemeral_events_total", outcome="published") >= 6


async def test_a_crowd_comes_as_counts_without_a_gap(replicas: list[Replica], app: Tenant) -> None:
    ann, *guests = await app.users("ann", "bob", "cat", "dan", *(f"u{number}" for number in range(6)))
    room = (await ann.channel(type="public", memberIds=["bob", "cat", "dan"]))["id"]
    async with socket_to(replicas[0], ann.token) as client:
        await client.connected()
        await client.subscribe(room)
        begun = client.seen[room]
        calls = [guest.call("POST", f"/api/channels/{room}/join") for guest in guests[3:]]
        await asyncio.gather(*calls)
        await guests[0].call("POST", f"/api/channels/{room}/typing", {"typing": True})
        hello = (await ann.call("POST", f"/api/channels/{room}/messages", {"text": "hello"})).json()
        for guest in guests[:3]:
            path = f"/api/channels/{room}/messages/{hello['id']}/reactions"
            assert (await guest.call("POST", path, {"type": "👍"})).status_code == 201
            await guest.call("POST", f"/api/channels/{room}/read", {"seq": 1})

        def counted(name: str) -> int:
            return sum(one.get(name, 0) for one in client.of("crowd"))

        await client.until(lambda: client.texts.get(room) == ["hello"])
        await client.until(lambda: client.seen[room] == begun + 10)
        await client.until(lambda: counted("readers") == 3)
        await client.until(lambda: [one["typing"] for one in client.of("crowd") if "typing" in one] == [1, 0])
        assert counted("joined") == 6
        reactions = [one for frame in client.of("crowd") for one in frame.get("reactions", [])]
        assert reactions[-1] == {"messageId": hello["id"], "counts": {"👍": 3}}
        assert client.faults == [], "the ranges of the counts leave no gap"
        assert {one["event"]["type"] for one in client.of("event")} == {"message.new"}


async def test_who_shares_no_channel_any_more_is_seen_no_more_and_what_was_lost_is_found(
    replicas: list[Replica], app: Tenant
) -> None:
    first, second = replicas
    ann, bob, cat = await app.users("ann", "bob", "cat")
    room = (await ann.channel(type="group", memberIds=["bob", "cat"]))["id"]
    async with socket_to(first, ann.token) as watcher, socket_to(second, bob.token) as phone:
        await watcher.connected()
        await watcher.ask("presence.subscribe", userIds=["bob", "cat"])
        await second.chat.call(
            "POST", "/api/presence/heartbeat", headers={"Authorization": f"Bearer {cat.token}"}
        )
        await watcher.until(lambda: shown(watcher, "cat")() == "online")

        # Nobody hears of this.
        await first.chat.sql("update user_presence set shown = 'away' where user_id = 'cat'")
        first.realtime.watches.doubt()
        await watcher.until(lambda: shown(watcher, "cat")() == "away")

        assert (await bob.call("POST", f"/api/channels/{room}/leave")).status_code == 200
        await phone.connected()
        await watcher.until(lambda: watcher.of("presence")[-1]["refused"] == ["bob"])
        assert shown(watcher, "bob")() == "offline"
        await watcher.ask("presence.unsubscribe", userIds=["cat"])
        assert first.sample("chatsdk_presence_watched_users") == 0
        too_many = await watcher.ask("presence.subscribe", userIds=[f"x{number}" for number in range(201)])
        assert too_many["status"] == 422


async def test_it_goes_on_when_the_connections_to_the_database_and_the_broker_are_cut(
    replicas: list[Replica], app: Tenant, rabbit_server: RabbitServer
) -> None:
    first, second = replicas
    ann, bob = await app.users("ann", "bob")
    room = (await ann.channel(type="group", memberIds=["bob"]))["id"]
    async with socket_to(first, ann.token) as watcher, socket_to(second, bob.token) as phone:
        await watcher.connected()
        await watcher.subscribe(room)
        await watcher.ask("presence.subscribe", userIds=["bob"])
        await first.chat.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and application_name = 'chat' and pid <> pg_backend_pid()"
        )
        await asyncio.to_thread(rabbit_server.close_connections)
        await phone.connected()

        await watcher.until(lambda: shown(watcher, "bob")() == "online")

        async def typing_is_told() -> bool:
            await phone.ask("typing", channelId=room, typing=True)
            return "bob start" in typing_of(watcher)

        await wait_for(typing_is_told, what=watcher.__repr__)
        assert watcher.faults == []


async def test_presence_over_two_replicas_and_the_death_of_one(replicas: list[Replica], app: Tenant) -> None:
    first, second = replicas
    ann, bob, _ = await app.users("ann", "bob", "eve")
    await ann.channel(type="group", memberIds=["bob"])
    async with (
        socket_to(first, ann.token) as watcher,
        socket_to(second, bob.token) as phone,
        socket_to(first, bob.token) as laptop,
    ):
        await watcher.connected()
        seen = await watcher.ask("presence.subscribe", userIds=["bob", "eve", "nobody"])
        assert [one["status"] for one in seen["users"]] == ["offline"]
        assert seen["refused"] == ["eve", "nobody"], "only who shares a channel is seen"
        assert first.sample("chatsdk_presence_watched_users") == 1
        now = shown(watcher, "bob")
        await phone.connected()
        await watcher.until(lambda: now() == "online")
        await laptop.connected()
        await phone.ask("presence.set", status="away")
        await laptop.ask("presence.set", status="away")
        await watcher.until(lambda: now() == "away")
        await laptop.disconnect()
        await phone.ask("presence.set", status="online")
        await watcher.until(lambda: now() == "online")

        await bob.call("PUT", "/api/presence", {"status": "invisible"})
        await watcher.until(lambda: now() == "offline")
        hidden = watcher.of("presence")[-1]["users"][0]["lastSeenAt"]
        own = (await bob.call("GET", "/api/presence")).json()
        assert (own["chosen"], own["status"], own["lastSeenAt"]) == ("invisible", "offline", hidden)
        await bob.call("POST", "/api/presence/online")
        await watcher.until(lambda: now() == "online")

        reaped = first.sample("chatsdk_presence_sessions_reaped_total")
        await second.die()
        await watcher.until(lambda: now() == "offline")
        assert watcher.of("presence")[-1]["users"][0]["lastSeenAt"] > hidden
        assert first.sample("chatsdk_presence_sessions_reaped_total") > reaped
        assert watcher.faults == []
    assert first.sample("chatsdk_presence_watched_users") == 0


async def test_a_replica_that_stops_leaves_no_socket_behind(
    replicas: list[Replica], app: Tenant, chat_database: str, rabbit_vhost: str
) -> None:
    [ann] = await app.users("ann")
    held = "select count(*) as number from presence_connection where app_id = $1"

    async def is_written() -> bool:
        return bool((await replicas[0].chat.sql(held, UUID(app.id)))[0]["number"])

    async with (
        running_replica(chat_database, rabbit_vhost, **QUICK) as third,
        socket_to(third, ann.token) as client,
    ):
        await client.connected()
        await wait_for(is_written, what="the socket is written")
        # It goes on while the replica stops.
        client._session_here = None

    assert not await is_written()
