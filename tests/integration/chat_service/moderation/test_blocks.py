"""Blocks and mutes: a blocked user is not heard in a direct channel, and elsewhere not by who blocked them."""

import json
from dataclasses import dataclass
from typing import Any

from chatsdk_contracts.ids import AppId, UserId
from tests.integration.chat_service.calling import error_code
from tests.integration.chat_service.moderation.floor import ROADS, SPOKEN, Floor, listening
from tests.integration.chat_service.search.room import indexed
from tests.integration.chat_service.sync.devices import Device
from tests.waiting import wait_for


async def test_who_is_blocked_is_refused_in_a_direct_channel_by_every_road(floor: Floor) -> None:
    direct = await floor.eve.channel(memberIds=["dan"])
    room = Floor(floor.tenant, floor.ann, floor.bob, floor.eve, floor.dan, direct["id"], {})
    room.first = await room.sent(floor.dan, "hello")
    said = await room.sent(floor.eve, "hello yourself")
    assert (await floor.dan.call("POST", "/api/users/eve/block")).status_code == 200
    before = await room.row()

    for name, road in ROADS.items():
        status, answer = await road(room)
        assert (status, answer["error"]["code"]) == (403, "blocked"), name
    first = f"{room.path}/messages/{room.first['id']}"
    for method, path, body in [
        ("POST", f"{first}/reactions", {"type": "👍"}),
        ("PATCH", f"{room.path}/messages/{said['id']}", {"text": "edited"}),
        ("PATCH", room.path, {"name": "words"}),
    ]:
        assert error_code(await floor.eve.call(method, path, body)) == "blocked", path
    assert await room.row() == before

    assert (await room.send(floor.dan, "one-way")).status_code == 201
    await floor.dan.call("DELETE", "/api/users/eve/block")
    assert (await room.send(floor.eve)).status_code == 201
    # A group is no direct channel.
    await floor.dan.call("POST", "/api/users/eve/block")
    assert (await floor.send(floor.eve)).status_code == 201


@dataclass
class Blocking:
    """dan, who has blocked eve, and what she says then; bob has not."""

    floor: Floor
    said: dict[str, Any]

    @property
    def place(self) -> dict[str, Any]:
        """All that dan shall learn of it, beside the version."""
        return {
            "id": self.said["id"],
            "channelId": self.floor.id,
            "seq": self.said["seq"],
            "threadSeq": None,
            "parentId": None,
            "hidden": True,
        }

    async def row(self, path: str) -> dict[str, Any]:
        """What a list shows dan."""
        page = (await self.floor.dan.call("GET", f"{self.floor.path}/{path}")).json()
        assert SPOKEN not in json.dumps(page)
        [found] = [one for one in page["messages"] if one["id"] == self.said["id"]]
        return {name: value for name, value in found.items() if name != "cv"}


async def speaking(floor: Floor) -> Blocking:
    """eve says something, asks something with it, and pins it."""
    said = await floor.sent(floor.eve)
    question = {"question": SPOKEN, "options": [{"text": "yes"}, {"text": "no"}]}
    await floor.eve.call("POST", f"{floor.path}/messages/{said['id']}/polls", question)
    await floor.eve.call("POST", f"{floor.path}/messages/{said['id']}/pin")
    return Blocking(floor, said)


async def test_of_whom_one_blocks_one_is_shown_the_place_and_not_the_words(floor: Floor) -> None:
    device, free = Device(floor.dan), Device(floor.bob)
    await device.catch_up()
    await free.catch_up()
    await floor.dan.call("POST", "/api/users/eve/block")
    made = await speaking(floor)
    quoting = await floor.sent(floor.ann, "quoting", replyToId=made.said["id"])
    await indexed(floor.tenant.chat)

    assert await made.row("messages?since_seq=0") == made.place
    assert await made.row("pins") == made.place
    listed = (await floor.dan.call("GET", f"{floor.path}/messages")).json()["messages"]
    assert [one["quoted"] for one in listed if one["id"] == quoting["id"]] == [None]
    await device.catch_up()
    assert {name: device.messages[made.said["id"]][name] for name in made.place} == made.place
    assert SPOKEN not in json.dumps(device.pages[1:])
    await free.catch_up()
    assert free.messages[made.said["id"]]["text"] == SPOKEN
    for reader, hits in ((floor.dan, 0), (floor.bob, 1)):
        found = (await reader.call("GET", f"/api/search?q=eve&channelId={floor.id}")).json()
        assert len(found["results"]) == hits
    # Whoever asks for it sees it.
    whole = await floor.dan.call("GET", f"{floor.path}/messages/{made.said['id']}")
    assert whole.json()["text"] == SPOKEN
    await floor.sent(floor.eve, "newest")
    [channel] = (await floor.dan.call("GET", "/api/channels")).json()["channels"]
    assert channel["lastMessage"]["hidden"] is True
    assert "newest" not in json.dumps(channel)


async def test_the_sockets_of_who_blocks_somebody_hide_them(floor: Floor) -> None:
    async with listening(floor.tenant.chat) as sockets:
        hiding = await sockets.connect(floor.dan)
        await floor.dan.call("POST", "/api/users/eve/block")
        # The control exchange brings this; it only says that something changed.
        sockets.blocks.changed(AppId(floor.tenant.id), UserId("dan"))
        await sockets.blocks.step()
        hearing = await sockets.connect(floor.bob)
        made = await speaking(floor)
        await floor.sent(floor.ann, "quoting", replyToId=made.said["id"])
        await sockets.hub.resync()
        for ear in (hiding, hearing):
            await ear.hears_up_to((await floor.row())["cv"])

    new = [event["data"] for event in hiding.events() if event["type"] == "message.new"]
    assert new[0] == {**made.place, "cv": made.said["cv"]}
    assert new[1]["text"] == "quoting"
    assert SPOKEN not in json.dumps(hiding.heard)
    assert SPOKEN in json.dumps(hearing.heard)


async def test_blocks_changed_while_a_socket_comes_are_known_to_it(floor: Floor) -> None:
    async with listening(floor.tenant.chat) as sockets:
        ear = await sockets.connect(floor.dan)
        assert ear.connection.blocked == frozenset()
        await floor.dan.call("POST", "/api/users/eve/block")
        sockets.blocks.doubt_all()
        await sockets.blocks.step()
        await wait_for(lambda: ear.connection.blocked == {"eve"}, what="eve is hidden")
        assert (await sockets.connect(floor.dan)).connection.blocked == {"eve"}


async def test_a_muted_user_is_listed_and_heard_as_ever(floor: Floor) -> None:
    first = await floor.dan.call("POST", "/api/users/eve/mute")
    again = await floor.dan.call("POST", "/api/users/eve/mute")
    assert (first.status_code, again.json()) == (200, first.json())
    assert first.json()["mutedAt"] is not None
    await floor.dan.call("POST", "/api/users/bob/mute")
    page = (await floor.dan.call("GET", "/api/users/me/muted?limit=1")).json()
    rest = await floor.dan.call("GET", f"/api/users/me/muted?cursor={page['nextCursor']}")
    assert [one["id"] for one in (*page["mutedUsers"], *rest.json()["mutedUsers"])] == ["bob", "eve"]
    assert (await floor.dan.call("POST", "/api/users/dan/mute")).status_code == 422
    assert error_code(await floor.dan.call("POST", "/api/users/nobody/mute")) == "user_not_found"
    said = await floor.sent(floor.eve, mentionedUserIds=["dan", "ann"])
    assert (await floor.dan.call("GET", f"{floor.path}/messages/{said['id']}")).json()["text"] == SPOKEN
    told = await floor.tenant.chat.sql(
        "select subject from event where app_id = $1::text::uuid and type = 'mention.created'",
        floor.tenant.id,
    )
    assert [row["subject"] for row in told] == ["users/ann"]
    unmuted = await floor.dan.call("DELETE", "/api/users/eve/mute")
    assert unmuted.json() == {"userId": "eve", "mutedAt": None}
