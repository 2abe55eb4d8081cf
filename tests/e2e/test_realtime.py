"""Sockets of a running chat service: events as they come, sends as they go, and every way to be turned away."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.fixtures.callers import AppCaller
from tests.fixtures.services import NewStack, Stack
from tests.fixtures.socket_client import SocketClient


@pytest.fixture(scope="module")
async def stack(new_stack: NewStack) -> AsyncIterator[Stack]:
    async with new_stack(chat={"CHAT_HEARTBEAT_INTERVAL_S": "0.5", "CHAT_SOCKETS_PER_USER": "3"}) as running:
        yield running


@pytest.fixture
async def app(stack: Stack) -> AppCaller:
    return await stack.new_app()


@asynccontextmanager
async def socket_of(stack: Stack, app: AppCaller, user: str) -> AsyncIterator[SocketClient]:
    async with SocketClient(stack.chat.url, await app.token(user)) as client:
        yield client


async def test_what_is_sent_over_http_arrives_in_order_with_the_stored_bytes(
    stack: Stack, app: AppCaller
) -> None:
    room = await app.channel("ann", "bob")
    async with socket_of(stack, app, "bob") as bob:
        await bob.connected()
        await bob.subscribe(room)
        for number in range(20):
            await app.send(room, "ann", f"m{number}")

        await bob.until(lambda: len(bob.texts.get(room, [])) == 20)

        assert bob.texts[room] == [f"m{number}" for number in range(20)]
        assert bob.faults == []
        event = bob.events("message.new")[0]
        assert (event["specversion"], event["appid"], event["data"]["userId"]) == ("1.0", app.app_id, "ann")


async def test_a_message_sent_over_the_socket_is_answered_and_comes_back(
    stack: Stack, app: AppCaller
) -> None:
    room = await app.channel("ann", "bob")
    async with socket_of(stack, app, "ann") as ann:
        await ann.connected()
        await ann.subscribe(room)
        message = {"text": "over the socket", "clientMsgId": "c1"}
        first = await ann.ask("message.send", channelId=room, message=message)
        again = await ann.ask("message.send", channelId=room, message=message)
        refused = await ann.ask("message.send", channelId=room, message={"text": ""})

        await ann.until(lambda: ann.texts.get(room) == ["over the socket"])

    assert (first["status"], first["body"]["seq"], first["body"]["duplicate"]) == (201, 1, False)
    assert (again["status"], again["body"]["id"], again["body"]["duplicate"]) == (
        200,
        first["body"]["id"],
        True,
    )
    assert (refused["status"], refused["error"]["code"]) == (422, "invalid_input")


async def test_a_socket_sends_no_more_than_the_limits_let_through(stack: Stack, app: AppCaller) -> None:
    room = await app.channel("ann", "bob")
    limits = {"send": {"user": {"perSecond": 0.01, "burst": 2}}}
    await app.ok("PATCH", "/api/app/settings", {"rateLimits": limits})
    async with socket_of(stack, app, "ann") as ann:
        await ann.connected()
        answers = [
            await ann.ask("message.send", channelId=room, message={"text": "x", "clientMsgId": f"c{number}"})
            for number in (1, 2, 3, 1)
        ]
    assert [answer["status"] for answer in answers] == [201, 201, 429, 200]
    refused = answers[2]["error"]
    assert (refused["code"], refused["details"][0]["path"]) == ("rate_limited", "send.user")
    assert 0 < refused["retryAfterMs"] <= 100_000


async def test_a_revoked_token_loses_its_socket_and_a_new_one_keeps_its_own(
    stack: Stack, app: AppCaller
) -> None:
    await app.channel("ann", "bob")
    async with socket_of(stack, app, "ann") as old, socket_of(stack, app, "bob") as bob:
        await old.connected()
        await bob.connected()
        await app.ok("POST", "/api/auth/tokens/revoke", {"userId": "ann"})
        del app.tokens["ann"]
        async with socket_of(stack, app, "ann") as new:
            await new.connected()

            await old.until(lambda: old.close_code is not None)

            assert (old.close_code, old.of("goodbye")[-1]["reason"]) == (4401, "token_revoked")
            assert (await new.ask("ping"))["type"] == "pong"
            assert (await bob.ask("ping"))["type"] == "pong"


async def test_a_limited_token_reads_and_does_not_send(stack: Stack, app: AppCaller) -> None:
    room = await app.channel("ann")
    reader = await app.ok("POST", "/api/auth/tokens", {"userId": "ann", "scopes": ["chat:read"]})
    blind = await app.ok("POST", "/api/auth/tokens", {"userId": "ann", "scopes": ["search:read"]})
    async with SocketClient(stack.chat.url, reader["token"]) as ann:
        await ann.connected()
        refused = await ann.ask("message.send", channelId=room, message={"text": "x"})
        assert (refused["status"], refused["error"]["code"]) == (403, "scope_missing")
    async with SocketClient(stack.chat.url, blind["token"]) as nobody:
        await nobody.connect()
        await nobody.until(lambda: nobody.close_code == 4403)


async def test_many_sends_at_once_keep_their_order(stack: Stack, app: AppCaller) -> None:
    room = await app.channel("ann")
    async with socket_of(stack, app, "ann") as ann:
        await ann.connected()
        await ann.subscribe(room)
        for number in range(200):
            await ann.say("message.send", channelId=room, message={"text": f"m{number}"})

        await ann.until(lambda: len(ann.texts.get(room, [])) == 200)

        assert ann.texts[room] == [f"m{number}" for number in range(200)]
        assert ann.faults == []


async def test_a_client_that_comes_back_gets_exactly_what_it_lacks(stack: Stack, app: AppCaller) -> None:
    room = await app.channel("ann", "bob")
    async with socket_of(stack, app, "bob") as bob:
        await bob.connected()
        await bob.subscribe(room)
        await app.send(room, "ann", "one")
        await bob.until(lambda: bob.texts.get(room) == ["one"])
        await bob.disconnect()
        sent = (await app.send(room, "ann", "two")).body
        await app.ok("PATCH", f"/api/channels/{room}/messages/{sent['id']}", {"text": "2"}, user="ann")

        await bob.connected()
        await bob.subscribe(room, resume=True)
        await app.send(room, "ann", "three")
        await bob.until(lambda: bob.texts.get(room) == ["one", "two", "three"])

        assert bob.faults == []
        assert [event["data"]["text"] for event in bob.events("message.updated")] == ["2"]


async def test_following_everything_brings_pages_first_and_then_events(stack: Stack, app: AppCaller) -> None:
    room = await app.channel("ann", "bob")
    async with socket_of(stack, app, "bob") as bob:
        await bob.connected(channels="all")
        await bob.until(lambda: bob.of("sync"))
        assert [one["channelId"] for one in bob.of("sync")[0]["page"]["reset"]] == [room]
        await app.send(room, "ann", "live")
        await bob.until(lambda: bob.texts.get(room) == ["live"])
        await bob.until(lambda: any("cursor" in one for one in bob.of("heartbeat")))
        await bob.disconnect()
        for number in range(30):
            await app.send(room, "ann", f"missed {number}")

        await bob.connected(cursor=bob.cursor)
        await app.send(room, "ann", "live again")
        await bob.until(lambda: len(bob.texts[room]) == 32)

        assert bob.texts[room] == ["live", *(f"missed {number}" for number in range(30)), "live again"]
        assert bob.faults == []


async def test_who_comes_into_a_channel_hears_it_and_who_is_put_out_hears_no_more(
    stack: Stack, app: AppCaller
) -> None:
    room = await app.channel("ann")
    await app.token("bob")
    async with socket_of(stack, app, "bob") as bob, socket_of(stack, app, "ann") as ann:
        await bob.connected(channels="all")
        await bob.until(lambda: bob.of("sync"))
        await ann.connected()
        await ann.subscribe(room)

        await app.ok("POST", f"/api/channels/{room}/members", {"userId": "bob"}, user="ann")
        await bob.until(lambda: any(one["channelId"] == room for one in bob.of("reset")))
        await app.send(room, "ann", "welcome")
        await bob.until(lambda: bob.texts.get(room) == ["welcome"])
        await app.ok("DELETE", f"/api/channels/{room}/members/bob", user="ann")
        await bob.until(lambda: [one["reason"] for one in bob.of("left")] == ["removed"])
        await app.send(room, "ann", "MARKER-SECRET")
        await ann.until(lambda: "MARKER-SECRET" in ann.texts.get(room, []))

        pong = await bob.ask("ping")
        assert pong["type"] == "pong"
        assert "MARKER-SECRET" not in str(bob.frames)


async def test_a_heartbeat_tells_how_far_channels_are(stack: Stack, app: AppCaller) -> None:
    room = await app.channel("ann")
    async with socket_of(stack, app, "ann") as ann:
        await ann.connected()
        await ann.subscribe(room)
        sent = (await app.send(room, "ann", "hello")).body

        await ann.until(lambda: any(one["heads"].get(room) == sent["cv"] for one in ann.of("heartbeat")))


async def test_channels_of_others_are_refused_alike(stack: Stack, app: AppCaller) -> None:
    other = await stack.new_app()
    foreign, unseen = await other.channel("eve"), await app.channel("bob", type="private")
    await app.token("ann")
    async with socket_of(stack, app, "ann") as ann:
        await ann.connected()
        answer = await ann.subscribe(foreign, unseen)

    assert answer["channels"] == []
    assert {(one["id"], one["code"]) for one in answer["refused"]} == {
        (foreign, "channel_not_found"),
        (unseen, "channel_not_found"),
    }


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ("not json", 4400),
        ('{"type":"ping"}', 4400),
        ('{"type":"connect","token":"forged"}', 4401),
        ('{"type":"connect"}', 4401),
        ('{"type":"connect","surplus":1}', 4400),
    ],
)
async def test_who_does_not_say_who_they_are_is_turned_away(
    stack: Stack, app: AppCaller, first: str, code: int
) -> None:
    async with socket_of(stack, app, "ann") as ann:
        await ann.open()
        await ann.say_raw(first)
        await ann.until(lambda: ann.close_code)

    assert ann.close_code == code


async def test_a_frame_that_cannot_be_read_is_answered_and_the_socket_goes_on(
    stack: Stack, app: AppCaller
) -> None:
    async with socket_of(stack, app, "ann") as ann:
        await ann.connected()
        await ann.say_raw('{"type":"subscribe","id":7,"channels":[]}')
        refused = await ann.answer(7)
        pong = await ann.ask("ping")

    assert (refused["status"], refused["error"]["details"][0]["path"]) == (422, "subscribe.channels")
    assert pong["type"] == "pong"


async def test_a_user_has_so_many_sockets_and_no_more(stack: Stack, app: AppCaller) -> None:
    token = await app.token("ann")
    clients = [SocketClient(stack.chat.url, token) for _ in range(4)]
    try:
        for client in clients[:3]:
            await client.connected()
        await clients[3].connect()
        await clients[3].until(lambda: clients[3].close_code)
        assert clients[3].close_code == 4429
    finally:
        for client in clients:
            await client.disconnect()


async def test_a_replica_that_stops_asks_its_clients_to_come_back(new_stack: NewStack) -> None:
    async with new_stack() as running:
        app = await running.new_app()
        room = await app.channel("ann")
        async with SocketClient(running.chat.url, await app.token("ann")) as ann:
            await ann.connected()
            await ann.subscribe(room)
            running.chat.signal(signal.SIGTERM)

            await ann.until(lambda: ann.close_code)

            assert ann.close_code == 1012
            [farewell] = ann.of("reconnect")
            assert 0 <= farewell["afterMs"] < 5_000
