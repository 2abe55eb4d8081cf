"""Read state on a real database: markers that never go back by themselves, receipts that are few and end with the truth."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import orjson

from chat_service.reads.telling import tell_due
from tests.integration.chat_service.calling import Caller, Chat, Tenant, error_code


async def receipts(chat: Chat, channel: str) -> list[dict[str, Any]]:
    """The receipts of a channel as they stand in the log."""
    rows = await chat.sql(
        "select body from event where channel_id = $1::uuid and type = 'message.read' order by id", channel
    )
    return [orjson.loads(row["body"]) for row in rows]


async def room_of(ann: Caller, *others: str) -> str:
    made: str = (await ann.channel(type="group", memberIds=list(others)))["id"]
    return made


async def send(user: Caller, room: str, count: int = 1) -> list[dict[str, Any]]:
    sent = []
    for number in range(count):
        response = await user.call("POST", f"/api/channels/{room}/messages", {"text": f"m{number}"})
        assert response.status_code == 201, response.text
        sent.append(response.json())
    return sent


async def read(user: Caller, room: str, **body: Any) -> dict[str, Any]:
    response = await user.call("POST", f"/api/channels/{room}/read", body)
    assert response.status_code == 200, response.text
    marker: dict[str, Any] = response.json()
    return marker


async def unread_of(user: Caller, room: str) -> int:
    count: int = (await user.call("GET", f"/api/channels/{room}")).json()["unreadCount"]
    return count


async def test_a_marker_moves_up_and_never_back(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    room = await room_of(ann, "bob")
    sent = await send(ann, room, 5)

    assert await unread_of(bob, room) == 5
    assert await read(bob, room, messageId=sent[2]["id"]) == {
        "lastReadSeq": 3,
        "readGeneration": 0,
        "unreadCount": 2,
    }
    assert (await read(bob, room, seq=1))["lastReadSeq"] == 3
    assert (await read(bob, room, seq=99))["lastReadSeq"] == 5
    assert await unread_of(bob, room) == 0


async def test_own_messages_are_read(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    room = await room_of(ann, "bob")
    await send(ann, room, 2)
    await send(bob, room)

    assert [await unread_of(ann, room), await unread_of(bob, room)] == [1, 0]
    assert (await ann.call("GET", "/api/channels/unread-count")).json() == {"count": 1, "channels": 1}


async def test_unread_begins_a_generation_that_beats_what_was_read_before(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    room = await room_of(ann, "bob")
    sent = await send(ann, room, 4)
    await read(bob, room)

    response = await bob.call("POST", f"/api/channels/{room}/unread", {"messageId": sent[1]["id"]})

    assert response.json() == {"lastReadSeq": 1, "readGeneration": 1, "unreadCount": 3}
    again = await bob.call("POST", f"/api/channels/{room}/unread", {"seq": 3})
    assert again.json()["readGeneration"] == 1, "what is unread already changes nothing"
    assert await read(bob, room) == {"lastReadSeq": 4, "readGeneration": 1, "unreadCount": 0}


async def test_a_marker_never_goes_back_by_leaving_and_coming_back(chat: Chat, tenant: Tenant) -> None:
    """Devices keep the greatest pair that they heard of, from whichever membership."""
    ann, bob = await tenant.users("ann", "bob")
    room = await room_of(ann, "bob")
    await send(ann, room, 4)
    await read(bob, room)
    await bob.call("POST", f"/api/channels/{room}/unread", {"seq": 2})
    await read(bob, room)

    async def leave_and_return() -> tuple[int, int]:
        assert (await bob.call("POST", f"/api/channels/{room}/leave")).status_code < 300
        return await come_back()

    async def come_back() -> tuple[int, int]:
        added = await ann.call("POST", f"/api/channels/{room}/members", {"userIds": ["bob"]})
        assert added.status_code < 300, added.text
        channel = (await bob.call("GET", f"/api/channels/{room}")).json()
        return channel["readGeneration"], channel["lastReadSeq"]

    assert [await leave_and_return(), await leave_and_return()] == [(1, 4), (1, 4)]
    await bob.call("POST", f"/api/channels/{room}/leave")
    # As a release leaves it behind that did not keep the generation.
    await chat.sql("update departure set read_generation = null where channel_id = $1::uuid", room)
    assert await come_back() >= (1, 4)


async def test_a_burst_of_reads_is_told_once_and_its_last_value_a_second_later(
    chat: Chat, tenant: Tenant
) -> None:
    ann, bob = await tenant.users("ann", "bob")
    room = await room_of(ann, "bob")
    sent = await send(ann, room, 10)
    await read(bob, room, seq=1)
    # However slow this machine is: the second is not over.
    await chat.sql(
        "update channel_member set receipt_told_at = now() + interval '1 hour' where channel_id = $1::uuid",
        room,
    )
    for message in sent[1:9]:
        await read(bob, room, seq=message["seq"])
    await asyncio.gather(*(read(bob, room, seq=10) for _ in range(8)))

    now = datetime.now(UTC)
    await tell_due(chat.resources.pool, 1, now)
    first = await receipts(chat, room)
    await chat.sql("update channel_member set receipt_due_at = now() where receipt_due_at is not null")
    await tell_due(chat.resources.pool, 1, now)
    told = await receipts(chat, room)
    await tell_due(chat.resources.pool, 1, now)

    assert [one["data"]["lastReadSeq"] for one in first] == [1]
    assert [one["data"]["lastReadSeq"] for one in told] == [1, 10]
    assert told[-1]["data"]["messageId"] == sent[-1]["id"]
    assert "sequence" not in told[-1] or told[-1]["sequence"] is None
    assert told[-1]["actorid"] == "bob"
    assert await receipts(chat, room) == told


async def test_marking_unread_tells_nobody_and_takes_nothing_back(chat: Chat, tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    room = await room_of(ann, "bob")
    await send(ann, room, 3)
    await read(bob, room)
    await bob.call("POST", f"/api/channels/{room}/unread", {"seq": 1})

    status = (await ann.call("GET", f"/api/channels/{room}/receipts/read-status")).json()

    assert [(one["userId"], one["lastReadSeq"]) for one in status["members"]] == [("ann", 3), ("bob", 3)]
    assert len(await receipts(chat, room)) == 1


async def test_who_has_read_a_message_is_listed_in_pages(tenant: Tenant) -> None:
    ann, bob, cid = await tenant.users("ann", "bob", "cid")
    room = await room_of(ann, "bob", "cid")
    sent = await send(ann, room, 2)
    await read(bob, room, seq=1)
    await read(cid, room)
    path = f"/api/channels/{room}/receipts/read-status"

    of_last = (await ann.call("GET", f"{path}?messageId={sent[1]['id']}")).json()["members"]
    page = (await ann.call("GET", f"{path}?limit=2")).json()
    rest = (await ann.call("GET", f"{path}?limit=2&cursor={page['nextCursor']}")).json()

    assert [one["userId"] for one in of_last] == ["ann", "cid"]
    assert [one["userId"] for one in page["members"] + rest["members"]] == ["ann", "bob", "cid"]
    assert (page["hasMore"], rest["hasMore"]) == (True, False)


async def test_a_channel_without_receipts_keeps_markers_and_tells_nobody(chat: Chat, tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    room = await room_of(ann, "bob")
    await ann.call("PATCH", f"/api/channels/{room}", {"config": {"readEvents": False}})
    await send(ann, room)

    marker = await read(bob, room)
    status = await ann.call("GET", f"/api/channels/{room}/receipts/read-status")

    assert marker["unreadCount"] == 0
    assert (status.status_code, error_code(status)) == (403, "receipts_off")
    assert await receipts(chat, room) == []


async def test_a_muted_and_a_hidden_channel_do_not_count_and_bodies_say_one_place(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    room, other = await room_of(ann, "bob"), await room_of(ann, "bob")
    await send(ann, room, 2)
    await send(ann, other, 3)
    await bob.call("PATCH", f"/api/channels/{other}/mute", {"muted": True})

    count = "/api/channels/unread-count"
    assert (await bob.call("GET", count)).json() == {"count": 2, "channels": 1}
    await bob.call("PATCH", f"/api/channels/{room}/hide", {"hidden": True})
    assert (await bob.call("GET", count)).json() == {"count": 0, "channels": 0}
    for path, body in (("read", {"seq": 1, "messageId": "x"}), ("unread", {}), ("read", {"seq": 0})):
        refused = await bob.call("POST", f"/api/channels/{room}/{path}", body)
        assert (refused.status_code, error_code(refused)) == (422, "invalid_input"), path


async def test_markers_race_to_the_highest(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    room = await room_of(ann, "bob")
    await send(ann, room, 20)

    await asyncio.gather(*(read(bob, room, seq=seq) for seq in range(20, 0, -1)))

    assert await unread_of(bob, room) == 0
