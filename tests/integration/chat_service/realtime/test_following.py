"""Following everything while memberships change under it: nothing of where one is not, a reset for where one came in.

Nothing numbers events here, and no broker brings them: whatever is found is found in the database.
"""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from chat_service.instruments import RealtimeInstruments
from chat_service.realtime.connection import Connection, SocketLimits
from chat_service.realtime.following import Following
from chat_service.realtime.heartbeat import SocketHeartbeat
from chat_service.realtime.hub import Hub
from chat_service.realtime.topic import Joining
from chatsdk_contracts.envelope import subject_of
from tests.integration.chat_service.calling import Caller, Chat, Tenant


class Desk:
    """A user's client on a replica of its own. `meanwhile` happens when it has looked up its channels."""

    def __init__(self, chat: Chat, user: Caller, connection: Connection) -> None:
        self.user, self.connection = user, connection
        self.hub = Hub(chat.resources.pool, RealtimeInstruments(CollectorRegistry()))
        self.hub.binder = self
        self.hub.add(connection)
        self.following = Following(self.hub, chat.resources.pool, chat.resources.keyring)
        self.heartbeat = SocketHeartbeat(self.hub, self.following, chat.resources.pool, interval_s=1)
        self.meanwhile: tuple[Caller, str, str, Any] | None = None
        self._binds = 0

    async def bind(self, buckets: Iterable[int]) -> None:
        """The second time it is the channels that are bound."""
        self._binds += 1
        if self._binds == 2 and self.meanwhile is not None:
            who, method, path, body = self.meanwhile
            assert (await who.call(method, path, body)).status_code == 200

    async def follow(self, cursor: str | None) -> None:
        wanted = None if cursor is None else self.following.cursor_of(self.connection, cursor)
        await self.following.follow_all(self.connection, wanted)

    def frames(self, *kinds: str) -> list[dict[str, Any]]:
        """What it was told, in order."""
        told = [json.loads(one) for one in self.connection._waiting]
        return [one for one in told if not kinds or one["type"] in kinds]

    def follows(self, room: str) -> bool:
        topic = self.hub.topic(subject_of("channels", room))
        return topic is not None and self.connection in topic.followers


@pytest.fixture
async def users(tenant: Tenant) -> list[Caller]:
    return list(await tenant.users("ann", "bob"))


@pytest.fixture
async def desk(chat: Chat, users: list[Caller]) -> Desk:
    bob = users[1]
    caller = await chat.resources.tokens.verify_token(bob.token)
    assert caller is not None

    async def nowhere(_: str) -> None:
        await asyncio.sleep(0)

    return Desk(
        chat,
        bob,
        Connection(
            nowhere,
            connection_id="bob",
            caller=caller,
            token=bob.token,
            client_id=None,
            expires_at=2.0**40,
            limits=SocketLimits(),
        ),
    )


async def test_who_is_put_out_before_the_channel_is_joined_does_not_follow_it(
    desk: Desk, users: list[Caller]
) -> None:
    ann, bob = users
    room = (await ann.channel(type="group", memberIds=["bob"]))["id"]
    cursor = (await bob.call("GET", "/api/sync")).json()["cursor"]
    desk.meanwhile = (ann, "DELETE", f"/api/channels/{room}/members/bob", None)

    await desk.follow(cursor)

    assert [(one["channelId"], one["reason"]) for one in desk.frames("left")] == [(room, "removed")]
    assert desk.frames("event", "reset") == []
    assert not desk.follows(room)


@pytest.mark.parametrize(("is_deleted", "reason"), [(False, "left"), (True, "deleted")])
async def test_who_is_not_there_any_more_and_has_not_been_shown_it_is_told_so(
    desk: Desk, users: list[Caller], is_deleted: bool, reason: str
) -> None:
    ann, bob = users
    room = (await ann.channel(type="group", memberIds=["bob"]))["id"]
    cursor = (await bob.call("GET", "/api/sync")).json()["cursor"]
    if is_deleted:
        await ann.call("DELETE", f"/api/channels/{room}")
    else:
        await bob.call("POST", f"/api/channels/{room}/leave")

    await desk.follow(cursor)

    assert [(one["channelId"], one["reason"]) for one in desk.frames("left")] == [(room, reason)]
    assert desk.frames("event", "reset") == []


async def test_who_came_in_and_has_not_been_shown_it_is_told_to_load_the_channel(
    desk: Desk, users: list[Caller]
) -> None:
    ann, bob = users
    room = (await ann.channel(type="group"))["id"]
    cursor = (await bob.call("GET", "/api/sync")).json()["cursor"]
    await ann.call("POST", f"/api/channels/{room}/members", {"userId": "bob"})

    await desk.follow(cursor)

    assert [(one["channelId"], one["reason"]) for one in desk.frames("reset")] == [(room, "joined")]
    assert desk.frames("event") == []
    assert desk.follows(room)


async def test_no_cursor_leads_past_a_channel_that_the_client_has_not_heard_of(
    desk: Desk, users: list[Caller]
) -> None:
    ann, _ = users
    await desk.follow(None)
    room = (await ann.channel(type="group", memberIds=["bob"]))["id"]

    await desk.heartbeat._beat()
    await asyncio.gather(*desk.following._tasks)
    await desk.heartbeat._beat()

    told = desk.frames("heartbeat", "reset")
    assert [(one["type"], "cursor" in one) for one in told] == [
        ("heartbeat", False),
        ("reset", False),
        ("heartbeat", True),
    ]
    assert told[1]["channelId"] == room


async def test_what_only_the_user_sees_is_told_before_a_cursor_leads_past_it(
    desk: Desk, users: list[Caller]
) -> None:
    ann, bob = users
    room = (await ann.channel(type="group", memberIds=["bob"]))["id"]
    await desk.follow(None)
    await bob.call("PATCH", f"/api/channels/{room}/star", {"starred": True})

    await desk.heartbeat._beat()

    *_, starred, beat = desk.frames()
    assert (starred["event"]["type"], starred["event"]["data"]["starred"]) == ("user_state.updated", True)
    assert "cursor" in beat


async def test_who_is_put_out_while_being_brought_up_to_date_hears_of_it_last(
    desk: Desk, users: list[Caller], chat: Chat
) -> None:
    ann, _ = users
    room = (await ann.channel(type="group", memberIds=["bob"]))["id"]
    [topic] = await desk.hub.open(desk.connection.app_id, [subject_of("channels", room)])
    joining = Joining(desk.connection, topic.version)
    topic.joining.append(joining)
    await ann.call("DELETE", f"/api/channels/{room}/members/bob")
    [left] = await chat.sql(
        "select body from event where channel_id = $1::text::uuid and type = 'user.left'", room
    )

    desk.hub.receive(left["body"], None)
    before = desk.frames("left")
    desk.following._settle(desk.connection, topic, joining)

    assert before == []
    assert [one.type for one in joining.waiting] == ["user.left"]
    assert [one["reason"] for one in desk.frames("left")] == ["removed"]
    assert not desk.follows(room)
