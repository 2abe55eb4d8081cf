"""Threads through the doors: paging both ways, who takes part, who follows, what is unread, and what is told."""

import asyncio
from typing import Any

import httpx2
import pytest

from tests.integration.chat_service.calling import Caller, Chat, Tenant, error_code, problems
from tests.integration.chat_service.message_room import UNKNOWN_ID, MessageRoom, a_room, told


@pytest.fixture
async def room(tenant: Tenant) -> MessageRoom:
    return await a_room(tenant)


async def reply(
    room: MessageRoom, parent: dict[str, Any], who: Caller, text: str = "r", **fields: Any
) -> Any:
    response = await room.call(who, "POST", f"/{parent['id']}/thread", {"text": text, **fields})
    assert response.status_code == 201, response.text
    return response.json()


async def thread(
    room: MessageRoom, parent: dict[str, Any], query: str = "", who: Caller | None = None
) -> Any:
    response = await room.call(who or room.ann, "GET", f"/{parent['id']}/thread{query}")
    assert response.status_code == 200, response.text
    return response.json()


async def threads_of(who: Caller, query: str = "") -> list[dict[str, Any]]:
    response = await who.call("GET", f"/api/threads{query}")
    assert response.status_code == 200, response.text
    listed: list[dict[str, Any]] = response.json()["threads"]
    return listed


async def unread_of(who: Caller) -> dict[str, int]:
    counted: dict[str, int] = (await who.call("GET", "/api/threads/unread-count")).json()
    return counted


def seqs(page: dict[str, Any]) -> list[int]:
    return [one["threadSeq"] for one in page["replies"]]


async def test_a_thread_is_read_both_ways_without_a_gap(room: MessageRoom) -> None:
    parent = await room.send("first")
    sent = [await reply(room, parent, room.bob, f"r{number}") for number in range(7)]

    latest = await thread(room, parent, "?limit=3")
    assert (seqs(latest), latest["hasMore"], latest["parent"]["id"]) == ([5, 6, 7], True, parent["id"])
    assert (latest["parent"]["replyCount"], latest["participantCount"], latest["lastThreadSeq"]) == (7, 1, 7)
    earlier = await thread(room, parent, f"?limit=3&cursor={latest['nextCursor']}")
    assert seqs(earlier) == [2, 3, 4]
    assert seqs(await thread(room, parent, f"?limit=3&cursor={earlier['nextCursor']}")) == [1]
    forward = await thread(room, parent, "?since_seq=0&limit=5")
    assert (seqs(forward), forward["nextCursor"]) == ([1, 2, 3, 4, 5], "after:5")
    rest = await thread(room, parent, "?limit=5&cursor=after:5")
    assert (seqs(rest), rest["hasMore"], rest["nextCursor"]) == ([6, 7], False, None)
    assert seqs(await thread(room, parent, f"?before={sent[2]['id']}")) == [1, 2]
    assert seqs(await thread(room, parent, f"?after={sent[4]['id']}")) == [6, 7]
    # The original gave the oldest page for a time; it is the one that ends there.
    assert seqs(await thread(room, parent, "?before=2100-01-01T00:00:00Z&limit=2")) == [6, 7]
    assert seqs(await thread(room, parent, f"?before={sent[0]['createdAt']}")) == []
    for query in (
        "cursor=x",
        "cursor=after:x",
        "before=yesterday",
        "before=2026-01-01T00:00:00",
        "since_seq=1&cursor=x",
    ):
        refused = await room.call(room.ann, "GET", f"/{parent['id']}/thread?{query}")
        assert refused.status_code in {400, 422}, query


async def test_a_reply_is_a_send_with_its_repeats_and_refusals(room: MessageRoom) -> None:
    parent = await room.send("first")
    path = f"/{parent['id']}/thread"
    body = {"text": "r", "clientMsgId": "c1"}

    answers = await asyncio.gather(*(room.call(room.bob, "POST", path, body) for _ in range(5)))
    plain = await room.call(room.bob, "POST", "", {**body, "parentId": parent["id"]})

    assert sorted(one.status_code for one in answers) == [200] * 4 + [201]
    assert (plain.status_code, plain.json()["duplicate"]) == (200, True), "the same send by the other door"
    assert {one.json()["id"] for one in [*answers, plain]} == {plain.json()["id"]}
    in_reply = await room.call(room.bob, "POST", f"/{plain.json()['id']}/thread", {"text": "x"})
    assert (in_reply.status_code, problems(in_reply)) == (422, {"parentId": "is_reply"})
    unknown = await room.call(room.bob, "POST", f"/{UNKNOWN_ID}/thread", {"text": "x"})
    assert (unknown.status_code, error_code(unknown)) == (404, "message_not_found")
    other = await room.call(room.bob, "POST", path, {"text": "x", "parentId": UNKNOWN_ID})
    assert (other.status_code, problems(other)) == (422, {"parentId": "other_thread"})
    read = await room.call(room.bob, "GET", f"/{plain.json()['id']}/thread")
    assert (read.status_code, problems(read)) == (422, {"messageId": "is_reply"})
    server = await room.server("POST", path, {"text": "s", "userId": "ann"})
    assert (server.status_code, server.json()["threadSeq"]) == (201, 2)
    assert "unreadCount" not in (await room.server("GET", path)).json()


async def test_a_thread_is_told_once_a_batch_in_the_channels_order(room: MessageRoom) -> None:
    parent = await room.send("first")

    await asyncio.gather(*(reply(room, parent, who) for who in [room.ann, room.bob] * 10))

    events = await room.events("message.new", "thread.updated")
    assert [int(one["sequence"]) for one in events] == sorted({int(one["sequence"]) for one in events})
    updates = [one for one in events if one["type"] == "thread.updated"]
    assert 1 <= len(updates) <= 20
    last = updates[-1]["data"]
    assert sorted(last.pop("participants")) == ["ann", "bob"]
    assert last.pop("lastReplyAt") is not None
    assert last.pop("changed")
    assert last == {
        "parentId": parent["id"],
        "channelId": room.id,
        "replyCount": 20,
        "lastThreadSeq": 20,
        "participantCount": 2,
    }
    shown = await room.read(parent)
    assert (shown["replyCount"], shown["cv"]) == (20, int(updates[-1]["sequence"]))


async def test_participants_are_counted_and_a_deleted_reply_does_not_count(room: MessageRoom) -> None:
    parent = await room.send("first")
    await reply(room, parent, room.bob)
    own = await reply(room, parent, room.ann)
    await reply(room, parent, room.bob)
    path = f"/{parent['id']}/thread/participants"

    async def participants() -> list[tuple[str, int]]:
        page = (await room.call(room.bob, "GET", path)).json()
        return [(one["id"], one["replyCount"]) for one in page["participants"]]

    assert await participants() == [("bob", 2), ("ann", 1)]
    first = (await room.call(room.bob, "GET", f"{path}?limit=1")).json()
    second = (await room.call(room.bob, "GET", f"{path}?limit=1&cursor={first['nextCursor']}")).json()
    assert [one["id"] for one in first["participants"] + second["participants"]] == ["bob", "ann"]
    await room.call(room.ann, "DELETE", f"/{own['id']}")
    assert await participants() == [("bob", 2)]
    assert (await room.read(parent))["replyCount"] == 2
    await room.call(room.ann, "POST", f"/{own['id']}/undelete")
    assert await participants() == [("bob", 2), ("ann", 1)]
    await room.call(room.ann, "DELETE", f"/{own['id']}/purge")
    await room.call(room.ann, "DELETE", f"/{own['id']}/purge")
    assert [one["threadSeq"] for one in (await thread(room, parent))["replies"]] == [1, 2, 3], (
        "its tombstone stays"
    )
    told_of = [
        (one["data"]["replyCount"], one["data"]["participantCount"])
        for one in await room.events("thread.updated")
    ]
    assert told_of == [(1, 1), (2, 2), (3, 2), (2, 1), (3, 2), (2, 1)]
    assert [told(one)[0] for one in (await room.events())[-2:]] == ["message.purged", "thread.updated"]
    first_deleted = await reply(room, parent, room.ann)
    await room.call(room.ann, "DELETE", f"/{first_deleted['id']}")
    await room.call(room.ann, "DELETE", f"/{first_deleted['id']}/purge")
    assert (await room.read(parent))["replyCount"] == 2, "what is deleted does not count already"


async def test_who_follows_and_how_much_they_have_not_read(room: MessageRoom, tenant: Tenant) -> None:
    cid, dan = await tenant.users("cid", "dan")
    await room.ann.call("POST", f"/api/channels/{room.id}/members", {"userIds": ["cid", "dan"]})
    parent = await room.send("first")
    await reply(room, parent, room.bob, "one")
    await reply(room, parent, room.bob, "two @cid")

    assert await unread_of(room.ann) == {"count": 1, "replies": 2}, "its author follows"
    assert await unread_of(room.bob) == {"count": 0, "replies": 0}, "own replies are read"
    assert await unread_of(cid) == {"count": 1, "replies": 1}, "from the mention on"
    assert await threads_of(dan) == []
    read = await room.call(room.ann, "POST", f"/{parent['id']}/thread/read", {"threadSeq": 1})
    assert (read.json()["lastReadSeq"], read.json()["unreadCount"], read.json()["following"]) == (1, 1, True)
    [listed] = await threads_of(room.ann, "?unread=true")
    assert (listed["parent"]["text"], listed["lastReply"]["text"], listed["channel"]["name"]) == (
        "first", "two @cid", "room",
    )  # fmt: skip
    assert (listed["unreadCount"], listed["participants"], listed["replyCount"]) == (1, ["bob"], 2)
    await room.call(room.ann, "POST", f"/{parent['id']}/thread/read")
    assert await threads_of(room.ann, "?unread=true") == []
    assert (await room.call(room.ann, "POST", f"/{parent['id']}/thread/read", {"threadSeq": 1})).json()[
        "lastReadSeq"
    ] == 2, "never back"
    # What one chooses is kept, whatever is said.
    gone = await room.call(cid, "DELETE", f"/{parent['id']}/thread/follow")
    assert (gone.json()["following"], gone.json()["unreadCount"]) == (False, 0)
    await reply(room, parent, room.ann, "three @cid")
    await reply(room, parent, cid, "four")
    assert await threads_of(cid) == []
    came = await room.call(dan, "POST", f"/{parent['id']}/thread/follow")
    assert (came.json()["following"], came.json()["unreadCount"], came.json()["lastThreadSeq"]) == (
        True,
        0,
        4,
    )
    await reply(room, parent, room.bob, "five")
    assert await unread_of(dan) == {"count": 1, "replies": 1}
    other = await room.send("second")
    wrong = await room.call(dan, "POST", f"/{parent['id']}/thread/read", {"messageId": other["id"]})
    assert (wrong.status_code, problems(wrong)) == (422, {"messageId": "not_in_thread"})
    logged = [one for one in await tenant.events("users/ann") if one["appid"] == tenant.id]
    own = [one["data"] for one in logged if one["type"] == "user_thread.updated"]
    assert [(one["lastReadSeq"], one["following"], one["changed"]) for one in own] == [
        (1, True, ["lastReadSeq"]),
        (2, True, ["lastReadSeq"]),
    ]
    await dan.call("PATCH", f"/api/channels/{room.id}/mute", {"muted": True})
    assert await unread_of(dan) == {"count": 0, "replies": 0}


async def test_threads_are_listed_by_their_latest_reply_and_go_with_their_channel(
    room: MessageRoom, chat: Chat
) -> None:
    parents = [await room.send(f"p{number}") for number in range(3)]
    for parent in [*parents, parents[0]]:
        await reply(room, parent, room.bob)
    # However fast this machine is: the order is one of times.
    for number, parent in enumerate([parents[1], parents[2], parents[0]]):
        await chat.sql(
            "update message set last_reply_at = now() + $2 * interval '1 second' where id = $1::uuid",
            parent["id"],
            number,
        )

    page = (await room.ann.call("GET", "/api/threads?limit=2")).json()
    rest = (await room.ann.call("GET", f"/api/threads?limit=2&cursor={page['nextCursor']}")).json()
    assert [one["parent"]["text"] for one in page["threads"] + rest["threads"]] == ["p0", "p2", "p1"]
    assert rest["hasMore"] is False
    deleted = await room.call(room.ann, "DELETE", f"/{parents[2]['id']}")
    assert deleted.status_code == 200
    assert [one["parent"]["type"] for one in await threads_of(room.ann)] == ["regular", "deleted", "regular"]
    await room.ann.call("POST", f"/api/channels/{room.id}/truncate", {"beforeSeq": 2})
    assert [one["parent"]["seq"] for one in await threads_of(room.ann)] == [3]
    hidden: httpx2.Response = await room.call(room.ann, "GET", f"/{parents[0]['id']}/thread")
    assert (hidden.status_code, error_code(hidden)) == (404, "message_not_found")
    refused = await room.call(room.ann, "POST", f"/{parents[0]['id']}/thread", {"text": "x"})
    assert (refused.status_code, error_code(refused)) == (404, "message_not_found")
    await room.bob.call("POST", f"/api/channels/{room.id}/leave")
    assert await threads_of(room.bob) == []
