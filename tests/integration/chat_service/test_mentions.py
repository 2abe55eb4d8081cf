"""Mentions through the doors: what a message shows, what an inbox holds, what is told to whom, and what takes it back."""

import asyncio
from typing import Any

import pytest

from tests.integration.chat_service.calling import Caller, Chat, Tenant, error_code, problems
from tests.integration.chat_service.message_room import MessageRoom, a_room


@pytest.fixture
async def room(tenant: Tenant) -> MessageRoom:
    return await a_room(tenant)


async def inbox(who: Caller, query: str = "") -> list[dict[str, Any]]:
    response = await who.call("GET", f"/api/mentions{query}")
    assert response.status_code == 200, response.text
    listed: list[dict[str, Any]] = response.json()["mentions"]
    return listed


async def texts(who: Caller, query: str = "") -> list[str]:
    return [one["message"]["text"] for one in await inbox(who, query)]


async def unread(who: Caller) -> int:
    count: int = (await who.call("GET", "/api/mentions/unread-count")).json()["count"]
    assert count == len(await inbox(who, "?unread=true"))
    return count


async def heard(room: MessageRoom, user_id: str) -> list[dict[str, Any]]:
    """What the user was told of mentions."""
    logged = await room.tenant.events(f"users/{user_id}")
    ours = [one for one in logged if one["appid"] == room.tenant.id]
    return [one for one in ours if one["type"] == "mention.created"]


async def test_a_mention_is_in_the_message_the_inbox_and_the_users_events(room: MessageRoom) -> None:
    sent = await room.send("hello @bob, @nobody and @ann", mentionedUserIds=["bob"])

    assert (sent["mentions"], sent["mentionGroups"]) == (["bob", "ann"], [])
    assert (await room.read(sent))["mentions"] == ["bob", "ann"]
    [new] = await room.events("message.new")
    assert new["data"]["mentions"] == ["bob", "ann"]
    [event] = await heard(room, "bob")
    [listed] = await inbox(room.bob)
    assert event["data"] == {
        "id": listed["id"],
        "userId": "bob",
        "mentionedBy": "ann",
        "channelId": room.id,
        "messageId": sent["id"],
        "createdAt": listed["mentionedAt"],
    }
    assert (event["actorid"], event["sequence"]) == ("ann", "2")
    assert listed["mentioner"] == {"id": "ann", "name": None, "image": None}
    assert (listed["kind"], listed["read"], listed["channel"]) == (
        "user",
        False,
        {"id": room.id, "name": "room"},
    )
    assert listed["message"]["id"] == sent["id"]
    assert (await inbox(room.ann), await heard(room, "ann")) == ([], []), "oneself is not notified"


async def test_strangers_and_groups_beside_the_text_are_refused_and_in_the_text_are_text(
    room: MessageRoom, tenant: Tenant
) -> None:
    await tenant.user("eve")
    stranger = await room.call(room.ann, "POST", "", {"text": "x", "mentionedUserIds": ["bob", "eve"]})
    assert (stranger.status_code, problems(stranger)) == (422, {"mentionedUserIds[1]": "not_a_member"})
    by_member = await room.call(room.bob, "POST", "", {"text": "x", "mentionGroups": ["channel"]})
    assert (by_member.status_code, error_code(by_member)) == (403, "role_too_low")
    many = await room.call(
        room.ann, "POST", "", {"text": "x", "mentionedUserIds": [f"u{n}" for n in range(51)]}
    )
    assert many.status_code == 422
    assert (await room.send("@channel @eve", room.bob))["mentions"] == []
    await room.ann.call("PATCH", f"/api/channels/{room.id}", {"config": {"mentions": False}})
    off = await room.call(room.ann, "POST", "", {"text": "x", "mentionedUserIds": ["bob"]})
    assert (off.status_code, error_code(off)) == (403, "mentions_off")
    assert (await room.send("@bob @channel"))["mentionGroups"] == []
    assert await inbox(room.bob) == []


async def test_a_whole_channel_is_one_row_for_those_who_were_there(
    room: MessageRoom, tenant: Tenant, chat: Chat
) -> None:
    sent = await room.send("@channel look")
    late = await tenant.user("late")
    await room.ann.call("POST", f"/api/channels/{room.id}/members", {"userId": "late"})
    await room.send("@here now")

    assert [(one["kind"], one["message"]["id"]) for one in await inbox(room.bob)] == [("channel", sent["id"])]
    assert (await inbox(room.ann), await inbox(late), await heard(room, "bob")) == ([], [], [])
    [row] = await chat.sql("select count(*) as number from mention where channel_id = $1::uuid", room.id)
    assert row["number"] == 1
    assert await unread(room.bob) == 1
    await room.bob.call("PATCH", f"/api/channels/{room.id}/mute", {"muted": True})
    assert (await room.bob.call("GET", "/api/mentions/unread-count")).json() == {"count": 0}
    await room.send("@bob you")
    assert (await room.bob.call("GET", "/api/mentions/unread-count")).json() == {"count": 1}, (
        "by name it counts"
    )


async def test_what_is_read_in_the_channel_or_thread_is_read_in_the_inbox(room: MessageRoom) -> None:
    first, second = await room.send("1 @bob"), await room.send("2 @bob")
    parent = await room.send("p")
    await room.send("3 @bob", parentId=parent["id"])
    await room.send("4 @channel", parentId=parent["id"])
    assert await unread(room.bob) == 4

    await room.bob.call("POST", f"/api/channels/{room.id}/read", {"messageId": first["id"]})
    assert [one["read"] for one in await inbox(room.bob)] == [False, False, False, True]
    await room.call(room.bob, "POST", f"/{parent['id']}/thread/read", {"threadSeq": 1})
    assert sorted(await texts(room.bob, "?unread=true")) == ["2 @bob", "4 @channel"]
    [listed] = [one for one in await inbox(room.bob) if one["message"]["id"] == second["id"]]
    left = await room.bob.call("POST", "/api/mentions/read", {"mentionIds": [listed["id"]]})
    assert (left.json(), await unread(room.bob)) == ({"count": 1}, 1)
    assert (await room.bob.call("POST", "/api/mentions/read")).json() == {"count": 0}
    assert await unread(room.bob) == 0
    await room.send("5 @bob")
    assert await texts(room.bob, "?unread=true") == ["5 @bob"]


async def test_an_edit_tells_only_those_who_are_new_there(room: MessageRoom, tenant: Tenant) -> None:
    cid = await tenant.user("cid")
    await room.ann.call("POST", f"/api/channels/{room.id}/members", {"userId": "cid"})
    sent = await room.send("hi @bob")

    async def edit(**fields: Any) -> dict[str, Any]:
        response = await room.call(room.ann, "PATCH", f"/{sent['id']}", fields)
        assert response.status_code == 200, response.text
        edited: dict[str, Any] = response.json()
        return edited

    assert (await edit(text="hi @bob and @cid"))["mentions"] == ["bob", "cid"]
    assert (await edit(text="hi"))["mentions"] == []
    assert (await inbox(room.bob), await inbox(cid)) == ([], []), "they are not mentioned any more"
    named = await edit(text="hi", mentionedUserIds=["cid"])
    assert (named["mentions"], named["version"]) == (["cid"], 4)
    assert await texts(cid) == ["hi"]
    assert (await edit(text="hi", mentionedUserIds=["cid"]))["version"] == 4, "the same again changes nothing"
    assert (len(await heard(room, "bob")), len(await heard(room, "cid"))) == (1, 1)
    changed = [one["data"]["changed"] for one in await room.events("message.updated")]
    assert changed == [["text", "mentions"], ["text", "mentions"], ["mentions"]]
    outside = await room.call(room.ann, "PATCH", f"/{sent['id']}", {"text": "x", "mentionedUserIds": ["eve"]})
    assert (outside.status_code, problems(outside)) == (422, {"mentionedUserIds[0]": "not_a_member"})


async def test_what_is_gone_is_not_in_the_inbox(room: MessageRoom, chat: Chat) -> None:
    kept, deleted, purged = [await room.send(f"{text} @bob") for text in ("kept", "deleted", "purged")]
    await room.call(room.ann, "DELETE", f"/{deleted['id']}")
    await room.call(room.ann, "DELETE", f"/{purged['id']}/purge")
    assert await texts(room.bob) == ["kept @bob"]
    assert await unread(room.bob) == 1
    restored = await room.call(room.ann, "POST", f"/{deleted['id']}/undelete")
    assert restored.json()["mentions"] == ["bob"]
    assert await texts(room.bob) == ["deleted @bob", "kept @bob"]
    rows = await chat.sql("select from mention where message_id = $1::uuid", purged["id"])
    assert rows == []
    await room.ann.call("POST", f"/api/channels/{room.id}/truncate", {"beforeSeq": kept["seq"]})
    assert await texts(room.bob) == ["deleted @bob"]
    await room.bob.call("POST", "/api/users/ann/block")
    await room.send("blocked @bob")
    assert (await inbox(room.bob), len(await heard(room, "bob"))) == ([], 3), "nothing of whom one blocked"
    await room.bob.call("DELETE", "/api/users/ann/block")
    assert await texts(room.bob) == ["deleted @bob"]
    await room.bob.call("POST", f"/api/channels/{room.id}/leave")
    assert await inbox(room.bob) == []
    await room.ann.call("POST", f"/api/channels/{room.id}/members", {"userId": "bob"})
    assert await inbox(room.bob) == [], "what was before one came back is over"


async def test_the_inbox_goes_on_behind_a_page_over_channels_and_kinds(
    room: MessageRoom, tenant: Tenant
) -> None:
    other = (await room.ann.channel(type="group", name="other", memberIds=["bob"]))["id"]
    for number in range(4):
        await room.send(f"{number} @bob" if number % 2 else f"{number} @channel")
        await room.ann.call("POST", f"/api/channels/{other}/messages", {"text": f"o{number} @bob"})

    whole = await inbox(room.bob)
    assert len(whole) == 8
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await room.bob.call("GET", f"/api/mentions?limit=3{cursor}")).json()
        seen += [one["id"] for one in page["mentions"]]
        if not page["hasMore"]:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert seen == [one["id"] for one in whole]
    before = await inbox(room.bob, f"?before={whole[0]['mentionedAt']}")
    assert all(one["mentionedAt"] < whole[0]["mentionedAt"] for one in before)
    bad = await room.bob.call("GET", "/api/mentions?before=soon")
    assert (bad.status_code, problems(bad)) == (422, {"before": "invalid_time"})


async def test_mentions_and_private_changes_of_the_same_users_do_not_get_in_each_others_way(
    room: MessageRoom, tenant: Tenant
) -> None:
    people = [room.ann, room.bob]
    writing = [room.send("@ann @bob", who) for who in people * 15]
    changing = [
        who.call("PATCH", f"/api/channels/{room.id}/mute", {"muted": bool(number % 2)})
        for number in range(15)
        for who in people
    ]

    answers = await asyncio.gather(asyncio.gather(*writing), asyncio.gather(*changing))

    assert {one.status_code for one in answers[1]} == {200}
    for user_id in ("ann", "bob"):
        logged = [one for one in await tenant.events(f"users/{user_id}") if one["appid"] == tenant.id]
        versions = [int(one["sequence"]) for one in logged]
        assert versions == list(range(versions[0], versions[0] + len(versions))), "dense, whoever wrote"
        assert len(await heard(room, user_id)) == 15


@pytest.mark.parametrize("many", [False, True], ids=["few members", "many members"])
async def test_members_to_mention_are_found_by_the_beginning_of_id_or_name(
    room: MessageRoom, tenant: Tenant, chat: Chat, many: bool
) -> None:
    for user_id, name in (("u1", "Bo Derek"), ("u2", "Derek Bo"), ("u3", "Bodo"), ("far", "Bo")):
        await tenant.user(user_id, name=name)
    await room.ann.call("POST", f"/api/channels/{room.id}/members", {"userIds": ["u1", "u2", "u3"]})
    if many:
        await chat.sql("update channel set member_count = 100000 where id = $1::uuid", room.id)

    async def found(query: str, who: Caller) -> tuple[list[str], list[str]]:
        response = await who.call("GET", f"/api/mentions/search?channelId={room.id}&q={query}")
        assert response.status_code == 200, response.text
        return [one["id"] for one in response.json()["users"]], response.json()["groups"]

    assert await found("@BO", room.ann) == (["bob", "u1", "u3"] + ([] if many else ["u2"]), [])
    assert await found("her", room.ann) == ([], ["here"])
    assert await found("", room.bob) == (["ann", "u1", "u2", "u3"], [])
    assert await found("%", room.bob) == ([], [])
    outside = await tenant.token("far")
    refused = await outside.call("GET", f"/api/mentions/search?channelId={room.id}")
    assert (refused.status_code, error_code(refused)) == (403, "not_a_member")
