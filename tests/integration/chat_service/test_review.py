"""Held messages: seen by their author and moderators alone, sent when approved, never sent when rejected or taken back."""

from typing import Any

import pytest

from chatsdk_contracts.ids import new_id
from tests.integration.chat_service.calling import Caller, Tenant, error_code
from tests.integration.chat_service.erasing import erased, exported
from tests.integration.chat_service.message_room import MessageRoom, a_room

HELD = "/api/moderation/held"


@pytest.fixture
async def room(tenant: Tenant) -> MessageRoom:
    """`ann` owns the channel; `bob` and `cleo` are members, and `hold` waits for a moderator."""
    entry = {"phrase": "hold", "action": "hold"}
    await tenant.server("POST", "/api/moderation/word-list/entries", entry)
    await tenant.user("cleo")
    return await a_room(tenant, memberIds=["bob", "cleo"])


async def hold(room: MessageRoom, **fields: Any) -> dict[str, Any]:
    held = await room.send("hold it", room.bob, **fields)
    assert held["status"] == "held"
    return held


async def decide(room: MessageRoom, message: dict[str, Any], how: str) -> Any:
    return await room.tenant.server("POST", f"{HELD}/{message['id']}/{how}", {})


async def timeline(room: MessageRoom, who: Caller) -> list[tuple[str, int]]:
    listed = (await room.call(who, "GET")).json()["messages"]
    return [(one["text"], one["seq"]) for one in listed]


async def own_events(room: MessageRoom) -> list[tuple[str, str]]:
    told = [one for one in await room.tenant.events("users/bob") if one["appid"] == room.tenant.id]
    about = [event for event in told if event["type"].startswith("message.")]
    assert all(event.get("sequence") is None for event in about), "outside the user's order"
    return [(event["type"], event["data"]["text"]) for event in about]


async def test_a_held_message_changes_nothing_for_others(room: MessageRoom) -> None:
    cleo = Caller(room.tenant.chat, "cleo", (await room.tenant.user("cleo")).token)
    before = (await room.ann.call("GET", f"/api/channels/{room.id}")).json()
    held = await hold(room)
    after = (await room.ann.call("GET", f"/api/channels/{room.id}")).json()

    assert after == before, "no counter, no version, no last message"
    assert (await room.events("message.new", "message.held")) == []
    assert await own_events(room) == [("message.held", "hold it")]
    assert (await room.read(held, room.bob))["status"] == "held"
    assert (await room.read(held, room.ann))["text"] == "hold it"
    path = f"/{held['id']}"
    assert error_code(await room.call(cleo, "GET", path)) == "message_not_found"
    for who in (room.ann, room.bob, cleo):
        assert await timeline(room, who) == []
        reply = await room.call(who, "POST", body={"text": "x", "parentId": held["id"]})
        quote = await room.call(who, "POST", body={"text": "x", "replyToId": held["id"]})
        assert (reply.status_code, quote.status_code) == (422, 422)
    reaction = await room.call(cleo, "POST", f"{path}/reactions", {"type": "👍"})
    assert reaction.status_code == 404
    assert error_code(await room.call(cleo, "DELETE", path)) == "message_not_found"


async def test_its_author_is_told_that_it_waits(room: MessageRoom) -> None:
    held = await hold(room, clientMsgId="c1")
    again = await room.call(room.bob, "POST", body={"text": "hold it", "clientMsgId": "c1"})
    assert (again.status_code, again.json()) == (200, {**held, "duplicate": True})
    path = f"/{held['id']}"
    for method, where, body in (("PATCH", path, {"text": "x"}), ("POST", f"{path}/pin", None)):
        refused = await room.call(room.bob, method, where, body)
        assert (refused.status_code, error_code(refused)) == (409, "message_not_sent"), where
        assert refused.json()["error"]["current"]["id"] == held["id"]


async def test_an_approved_message_is_sent_now_once(room: MessageRoom) -> None:
    await room.send("before")
    held = await hold(room)
    await room.send("after")
    listed = (await room.tenant.server("GET", HELD)).json()
    assert [one["id"] for one in listed["messages"]] == [held["id"]]

    approved = await decide(room, held, "approve")
    sent = approved.json()
    assert (approved.status_code, sent["status"], sent["seq"]) == (200, "sent", 3)
    assert (await decide(room, held, "approve")).json() == sent
    assert error_code(await decide(room, held, "reject")) == "already_decided"

    assert await timeline(room, room.ann) == [("before", 1), ("after", 2), ("hold it", 3)]
    new = (await room.events("message.new"))[-1]
    assert (new["sequence"], new["actorid"], new["data"]) == (str(sent["cv"]), "bob", sent)
    assert await own_events(room) == [("message.held", "hold it"), ("message.approved", "hold it")]
    channel = (await room.bob.call("GET", f"/api/channels/{room.id}")).json()
    assert (channel["messageCount"], channel["lastSeq"], channel["cv"]) == (3, 3, sent["cv"])
    assert channel["unreadCount"] == 3, "bob has not read what came before it"
    assert (await room.tenant.server("GET", HELD)).json()["messages"] == []

    await room.server("DELETE", f"/{sent['id']}")
    assert all(text == "" for _, text in await own_events(room)), (
        "deleting it redacts every event that told it"
    )


async def test_approved_replies_come_into_their_thread(room: MessageRoom) -> None:
    parent = await room.send("thread")
    held = await hold(room, parentId=parent["id"])
    await room.send("quicker", parentId=parent["id"])
    sent = (await decide(room, held, "approve")).json()
    assert (sent["seq"], sent["threadSeq"]) == (None, 2)
    assert (await room.read(parent))["replyCount"] == 2
    assert await timeline(room, room.ann) == [("thread", 1)]
    thread = (await room.events("thread.updated"))[-1]
    assert (thread["data"]["replyCount"], set(thread["data"]["participants"])) == (2, {"ann", "bob"})


async def test_whom_a_held_message_mentions_hears_of_it_when_it_is_sent(room: MessageRoom) -> None:
    async def mentioned() -> list[str]:
        told = [one for one in await room.tenant.events("users/ann") if one["appid"] == room.tenant.id]
        return [one["data"]["messageId"] for one in told if one["type"] == "mention.created"]

    held = await room.send("hold this, @ann", room.bob)
    assert (held["status"], held["mentions"], await mentioned()) == ("held", ["ann"], [])
    sent = (await decide(room, held, "approve")).json()
    assert (sent["mentions"], await mentioned()) == (["ann"], [held["id"]])


async def test_a_rejected_message_is_never_sent_and_can_be_taken_away(room: MessageRoom) -> None:
    held = await hold(room)
    rejected = await decide(room, held, "reject")
    assert (rejected.status_code, rejected.json()["status"]) == (200, "rejected")
    assert (await decide(room, held, "reject")).json() == rejected.json()
    assert error_code(await decide(room, held, "approve")) == "already_decided"
    assert (await own_events(room))[-1] == ("message.rejected", "hold it")
    assert (await room.events("message.new")) == []

    gone = await room.call(room.bob, "DELETE", f"/{held['id']}")
    assert (gone.status_code, gone.json()["text"]) == (200, "")
    assert [text for _, text in await own_events(room)] == ["", "", ""]


async def test_its_author_takes_it_back_without_a_word_to_the_channel(room: MessageRoom) -> None:
    held = await hold(room)
    before = await room.events()
    gone = (await room.call(room.bob, "DELETE", f"/{held['id']}")).json()
    assert (gone["type"], gone["status"], gone["text"]) == ("deleted", "rejected", "")
    assert await room.events() == before
    assert error_code(await decide(room, held, "approve")) == "already_decided"
    assert error_code(await room.call(room.bob, "POST", f"/{held['id']}/undelete")) == "message_not_sent"
    again = await room.call(room.bob, "DELETE", f"/{held['id']}")
    assert again.json() == gone


async def test_the_moderators_of_a_channel_decide_in_it(room: MessageRoom) -> None:
    held, other = await hold(room), await hold(room)
    path = f"/api/channels/{room.id}"
    page = (await room.ann.call("GET", f"{path}/held?limit=1")).json()
    assert [one["id"] for one in page["messages"]] == [held["id"]]
    rest = (await room.ann.call("GET", f"{path}/held?cursor={page['nextCursor']}")).json()
    assert ([one["id"] for one in rest["messages"]], rest["hasMore"]) == ([other["id"]], False)
    for method, where in (
        ("GET", f"{path}/held"),
        ("POST", f"{path}/messages/{held['id']}/approve"),
        ("POST", f"{path}/messages/{held['id']}/reject"),
    ):
        assert error_code(await room.bob.call(method, where)) == "role_too_low"
    assert (await room.ann.call("POST", f"{path}/messages/{held['id']}/approve")).json()["seq"] == 1
    assert (await room.ann.call("POST", f"{path}/messages/{other['id']}/reject")).json()["seq"] is None
    unknown = await room.ann.call("POST", f"{path}/messages/{new_id()}/approve")
    assert error_code(unknown) == "message_not_found"


async def test_what_has_lost_its_place_is_not_approved(room: MessageRoom) -> None:
    held = await hold(room)
    parent = await room.send("thread")
    reply = await hold(room, parentId=parent["id"])
    await room.ann.call("POST", f"/api/channels/{room.id}/truncate", {})
    assert error_code(await decide(room, reply, "approve")) == "thread_gone"
    await room.bob.call("POST", f"/api/channels/{room.id}/leave")
    assert error_code(await decide(room, held, "approve")) == "author_gone"
    assert (await decide(room, held, "reject")).status_code == 200


async def test_who_may_not_write_any_more_is_not_approved_and_approves_nothing(room: MessageRoom) -> None:
    held = await hold(room)
    bans = f"/api/channels/{room.id}/bans"
    banned = await room.ann.call("POST", bans, {"userId": "bob", "durationS": 3_600, "reason": "spam"})
    assert banned.status_code == 201
    refused = await decide(room, held, "approve")
    assert (refused.status_code, error_code(refused)) == (409, "author_may_not_write")
    error = refused.json()["error"]
    assert (error["because"], error["until"]) == ("banned", banned.json()["expiresAt"])
    assert (await room.read(held))["status"] == "held"
    await room.ann.call("DELETE", f"{bans}/bob")

    # Whoever was a moderator and is banned by the app decides on nothing.
    await room.tenant.server("POST", "/api/moderation/bans", {"userId": "ann"})
    for how in ("approve", "reject"):
        by_banned = await room.call(room.ann, "POST", f"/{held['id']}/{how}")
        assert (by_banned.status_code, error_code(by_banned)) == (403, "banned")
    assert (await decide(room, held, "approve")).json()["status"] == "sent"


async def test_what_a_shadow_banned_user_wrote_is_sent_to_nobody_else(room: MessageRoom) -> None:
    shown = await room.send("shown")
    in_time = await hold(room)
    ban = {"userId": "bob", "shadow": True}
    assert (await room.ann.call("POST", f"/api/channels/{room.id}/bans", ban)).status_code == 201
    late = await hold(room)
    reply = await hold(room, parentId=shown["id"], mentionedUserIds=["ann"])
    under_shadow = await room.send("mine", room.bob)
    in_shadow = await hold(room, parentId=under_shadow["id"])
    before = (await room.ann.call("GET", f"/api/channels/{room.id}")).json()

    for held in (in_time, late, reply):
        sent = (await decide(room, held, "approve")).json()
        assert (sent["status"], sent["seq"], sent["threadSeq"]) == ("sent", None, None)
        assert (await decide(room, held, "approve")).json() == sent
        assert (await room.read(sent, room.bob))["text"] == "hold it"
        for path in (f"/{held['id']}", f"/{held['id']}/approve"):
            hidden = await room.call(room.ann, "POST" if "approve" in path else "GET", path)
            assert error_code(hidden) == "message_not_found"
    after = (await room.ann.call("GET", f"/api/channels/{room.id}")).json()
    assert {**after, "cv": 0} == {**before, "cv": 0}
    assert await timeline(room, room.ann) == [("shown", 1)]
    own = await timeline(room, room.bob)
    assert [text for text, _ in own] == ["shown", "hold it", "hold it", "mine"]
    assert {event["type"] for event in (await room.events())[-3:]} == {"message.shadowed"}
    told = [one["type"] for one in await room.tenant.events("users/ann") if one["appid"] == room.tenant.id]
    assert "mention.created" not in told
    await room.ann.call("DELETE", f"/api/channels/{room.id}/bans/bob")
    assert (await room.send("heard again", room.bob))["seq"] == 2
    in_thread = (await decide(room, in_shadow, "approve")).json()
    assert (in_thread["status"], in_thread["threadSeq"]) == ("sent", None), "nobody else sees its thread"


async def test_what_waits_or_only_its_author_sees_is_no_last_reply_and_in_no_export_of_others(
    room: MessageRoom,
) -> None:
    parent = await room.send("thread")
    shown = await room.send("shown", room.bob, parentId=parent["id"])
    await room.ann.call("POST", f"/api/channels/{room.id}/bans", {"userId": "bob", "shadow": True})
    await room.send("unseen", room.bob, parentId=parent["id"])
    await room.send("unseen", room.bob)
    unseen_poll = {"question": "unseen?", "options": [{"text": "yes"}, {"text": "no"}]}
    assert (await room.bob.call("POST", f"/api/channels/{room.id}/polls", unseen_poll)).status_code == 201
    await hold(room, parentId=parent["id"])
    await hold(room)

    listed = (await room.ann.call("GET", "/api/threads")).json()["threads"]
    assert [one["lastReply"]["id"] for one in listed] == [shown["id"]]
    gone = await room.send("gone", parentId=parent["id"])
    await room.call(room.ann, "DELETE", f"/{gone['id']}")
    assert (await room.read(parent))["lastReplyAt"] == shown["createdAt"]
    _, lines = await exported(room.ann, f"/api/channels/{room.id}/export")
    assert [one["text"] for one in lines if one["kind"] == "message"] == ["thread", "shown", ""]
    assert {one["kind"] for one in lines} & {"poll", "upload"} == set()
    _, own = await exported(room.tenant, "/api/users/bob/export")
    assert [one["text"] for one in own if one["kind"] == "message"].count("hold it") == 2


async def test_an_erased_users_held_messages_go_without_a_word_to_the_channel(room: MessageRoom) -> None:
    parent = await room.send("thread")
    await hold(room)
    await hold(room, parentId=parent["id"])
    counted = await room.send("counted", room.bob, parentId=parent["id"])
    before = len(await room.events())

    await erased(room.tenant, "bob")

    told = (await room.events())[before:]
    purged = [one["data"]["id"] for one in told if one["type"] == "message.purged"]
    assert purged == [counted["id"]]
    assert (await room.read(parent))["replyCount"] == 0
    assert (await room.tenant.server("GET", HELD)).json()["messages"] == []
    rows = await room.tenant.chat.sql(
        "select text, status from message where channel_id = $1::text::uuid and user_id = 'bob'", room.id
    )
    assert sorted((row["text"], row["status"]) for row in rows) == [
        ("", "rejected"),
        ("", "rejected"),
        ("", "sent"),
    ]


async def test_slow_mode_counts_what_waits(room: MessageRoom) -> None:
    await room.ann.call("PATCH", f"/api/channels/{room.id}", {"config": {"slowModeS": 60}})
    await hold(room)
    soon = await room.call(room.bob, "POST", body={"text": "hold another"})
    assert error_code(soon) == "slow_mode"
