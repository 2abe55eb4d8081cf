"""The same send again, also a hundred times at once, is one message; the same key with something else is refused."""

import asyncio
import json
from collections import Counter

import asyncpg

from tests.fixtures.receiver import Receiver
from tests.fixtures.services import Stack
from tests.waiting import wait_for


async def _stored(stack: Stack, client_id: str) -> int:
    connection = await asyncpg.connect(stack.databases["chat"])
    try:
        count: int = await connection.fetchval(
            "select count(*) from message where client_msg_id = $1", client_id
        )
        return count
    finally:
        await connection.close()


async def test_a_hundred_concurrent_identical_sends_are_one_message(stack: Stack) -> None:
    app = await stack.new_app()
    channel = await app.channel("ann")
    async with Receiver() as receiver:
        webhook = await app.webhook(receiver.url, "message.new")
        receiver.trust(webhook["secret"])

        replies = await asyncio.gather(
            *(app.send(channel, "ann", "once", clientMsgId="hundred") for _ in range(100))
        )

        assert Counter(reply.status for reply in replies) == {201: 1, 200: 99}
        assert all(reply.body["duplicate"] is (reply.status == 200) for reply in replies)
        without = {reply.raw.replace(b'"duplicate":true', b'"duplicate":false') for reply in replies}
        assert len(without) == 1, "equal but for `duplicate`"
        assert json.loads(without.pop())["seq"] == 1
        assert await _stored(stack, "hundred") == 1

        # One event too: the next message is the next that the receiver hears of.
        await app.send(channel, "ann", "twice")
        heard = await receiver.wait_for(2)
        assert {one.event["data"]["text"] for one in heard} == {"once", "twice"}

        async def two_counted() -> bool:
            return await stack.messages_counted(app.app_id) == 2

        await wait_for(two_counted)
        assert len(receiver.received) == 2


async def test_a_repeat_shows_the_message_as_it_is_now(stack: Stack) -> None:
    app = await stack.new_app()
    channel = await app.channel("ann")
    first = await app.send(channel, "ann", "before", clientMsgId="edited")
    path = f"/api/channels/{channel}/messages/{first.body['id']}"
    await app.ok("PATCH", path, {"text": "after"}, user="ann")

    again = await app.send(channel, "ann", "before", clientMsgId="edited")

    assert again.status == 200
    assert again.body["duplicate"] is True
    assert (again.body["id"], again.body["text"], again.body["version"]) == (first.body["id"], "after", 2)


async def test_a_client_id_with_other_content_is_refused(stack: Stack) -> None:
    app = await stack.new_app()
    channel = await app.channel("ann")
    assert (await app.send(channel, "ann", "this", clientMsgId="taken")).status == 201

    other = await app.send(channel, "ann", "that", clientMsgId="taken")

    assert other.status == 422
    assert other.error["code"] == "idempotency_mismatch"
    assert other.error["hint"]
    assert await _stored(stack, "taken") == 1


async def test_a_client_id_belongs_to_its_user_and_channel(stack: Stack) -> None:
    app = await stack.new_app()
    one, two = await app.channel("ann", "ben"), await app.channel("ann", "ben")
    replies = [
        await app.send(channel, user, "mine", clientMsgId="shared")
        for channel in (one, two)
        for user in ("ann", "ben")
    ]
    assert [reply.status for reply in replies] == [201] * 4


async def test_an_idempotency_key_replays_status_and_body(stack: Stack) -> None:
    app = await stack.new_app()
    await app.token("ann")
    asked = {"type": "group", "name": "Once"}
    key = {"Idempotency-Key": "make-channel"}

    first = await app.call("POST", "/api/channels", asked, user="ann", headers=key)
    again = await app.call("POST", "/api/channels", asked, user="ann", headers=key)
    other = await app.call("POST", "/api/channels", {**asked, "name": "Twice"}, user="ann", headers=key)

    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert other.status == 422
    assert other.error["code"] == "idempotency_mismatch"


async def test_an_idempotency_key_on_a_send_makes_one_message(stack: Stack) -> None:
    app = await stack.new_app()
    channel = await app.channel("ann")
    path, asked, key = f"/api/channels/{channel}/messages", {"text": "hello"}, {"Idempotency-Key": "send-1"}

    replies = await asyncio.gather(
        *(app.call("POST", path, asked, user="ann", headers=key) for _ in range(10))
    )
    later = await app.call("POST", path, asked, user="ann", headers=key)
    other = await app.call("POST", path, {"text": "bye"}, user="ann", headers=key)

    assert {reply.status for reply in [*replies, later]} == {201}
    assert len({reply.body["id"] for reply in [*replies, later]}) == 1
    assert later.headers["Idempotent-Replayed"] == "true"
    assert (other.status, other.error["code"]) == (422, "idempotency_mismatch")
    listed = await app.ok("GET", path, user="ann")
    assert listed["maxSeq"] == 1


async def test_an_idempotency_key_makes_one_webhook(stack: Stack) -> None:
    app = await stack.new_app()
    asked = {"url": "http://127.0.0.1:9/hook", "events": ["message.new"]}
    key = {"Idempotency-Key": "hook-1"}

    first = await app.call("POST", "/api/webhooks", asked, headers=key)
    again = await app.call("POST", "/api/webhooks", asked, headers=key)

    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body, "the secret too"
    assert again.headers["Idempotent-Replayed"] == "true"
    listed = await app.ok("GET", "/api/webhooks")
    assert len(listed["webhooks"]) == 1
