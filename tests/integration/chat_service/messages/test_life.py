"""What a message said before, its deletion, restoration and purge; and system messages, which no user may sign."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from chat_service import maintenance
from chatsdk_runtime.encryption import Sealed
from chatsdk_runtime.loops import Heartbeat
from tests.integration.chat_service.calling import Chat, Tenant, error_code
from tests.integration.chat_service.message_room import UNKNOWN_ID, MessageRoom, a_room, told
from tests.waiting import wait_for

MARKER = "marker-of-this-test"
TABLES = (
    "message",
    "message_history",
    "deleted_content",
    "event",
    "reaction",
    "saved_message",
    "idempotency_key",
    "op_result",
)


@pytest.fixture
async def room(tenant: Tenant) -> MessageRoom:
    return await a_room(tenant)


async def dump(chat: Chat) -> bytes:
    """Every row of what may hold words, with the sealed answers opened."""
    found = b""
    for table in TABLES:
        for row in await chat.sql(f"select * from {table}"):
            values = dict(row)
            if table == "idempotency_key":
                values["answer"] = chat.resources.keyring.open(
                    Sealed(row["key_id"], row["answer"]),
                    table=table,
                    column="answer",
                    row=f"{row['scope']}/{row['key']}",
                )
            found += b"\n".join(
                value if isinstance(value, bytes) else str(value).encode() for value in values.values()
            )
    return found


async def a_full_life(room: MessageRoom) -> dict[str, Any]:
    """A message whose every change carries the marker, each with a repeatable key."""
    sent = await room.send(
        MARKER,
        custom={"note": MARKER},
        attachments=[{"type": "file", "url": f"https://example.org/{MARKER}"}],
    )
    path = f"/{sent['id']}"
    for number, (method, at, body) in enumerate(
        (
            ("PATCH", path, {"text": f"{MARKER} 2"}),
            ("POST", f"{path}/pin", None),
            ("PATCH", path, {"text": f"{MARKER} 3"}),
            ("DELETE", f"{path}/pin", None),
            ("DELETE", path, None),
            ("POST", f"{path}/undelete", None),
            ("PATCH", path, {"text": f"{MARKER} 4"}),
            ("POST", f"{path}/reactions", {"type": ":heart:"}),
            ("POST", f"{path}/save", None),
            ("POST", f"{path}/pin", None),
        )
    ):
        answer = await room.call(room.ann, method, at, body, Idempotency_Key=f"{sent['id']}-{number}")
        assert answer.status_code < 300, answer.text
    return sent


async def test_every_edit_keeps_the_text_before_it(room: MessageRoom) -> None:
    sent = await room.send("one")
    for text in ("two", "two", "three"):
        await room.call(room.ann, "PATCH", f"/{sent['id']}", {"text": text})
    await room.server("PATCH", f"/{sent['id']}", {"text": "four"})

    whole = (await room.call(room.ann, "GET", f"/{sent['id']}/history")).json()
    first = (await room.server("GET", f"/{sent['id']}/history?limit=2")).json()
    rest = (await room.server("GET", f"/{sent['id']}/history?cursor={first['nextCursor']}")).json()

    assert [(one["version"], one["text"], one["editedBy"]) for one in whole["history"]] == [
        (1, "one", "ann"),
        (2, "two", "ann"),
        (3, "three", None),
    ]
    assert first["history"] + rest["history"] == whole["history"]
    assert (first["hasMore"], rest["hasMore"], rest["nextCursor"]) == (True, False, None)
    assert (await room.server("GET", f"/{sent['id']}/history?cursor=WyJ4Il0")).status_code == 400


async def test_who_may_read_a_history(room: MessageRoom, chat: Chat) -> None:
    sent = await room.send("hello", room.bob)
    own = await room.send("of the owner")
    foreign = await (await chat.new_tenant("other")).user("ann")

    assert (await room.call(room.bob, "GET", f"/{sent['id']}/history")).status_code == 200
    assert (await room.call(room.ann, "GET", f"/{sent['id']}/history")).status_code == 200
    refused = await room.call(room.bob, "GET", f"/{own['id']}/history")
    assert (refused.status_code, error_code(refused)) == (403, "role_too_low")
    unknown = await room.call(room.ann, "GET", f"/{UNKNOWN_ID}/history")
    assert error_code(unknown) == "message_not_found"
    assert error_code(await room.call(foreign, "GET", f"/{sent['id']}/history")) == "channel_not_found"


async def test_a_deletion_is_taken_back_whole(room: MessageRoom, chat: Chat) -> None:
    sent = await room.send(
        "hello", custom={"a": 1}, attachments=[{"type": "file", "url": "https://example.org/x"}]
    )
    path = f"/{sent['id']}"
    await room.call(room.bob, "POST", f"{path}/reactions", {"type": ":yes:"})
    await room.call(room.ann, "PATCH", path, {"text": "edited"})
    gone = (await room.call(room.ann, "DELETE", path)).json()
    assert (gone["reactionCounts"], gone["text"]) == ({}, "")
    assert (await room.call(room.ann, "GET", f"{path}/history")).json()["history"] == []
    (kept,) = await chat.sql("select content from deleted_content where message_id = $1", UUID(sent["id"]))
    assert b"edited" not in kept["content"]

    answers = await asyncio.gather(*(room.call(room.ann, "POST", f"{path}/undelete") for _ in range(5)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    back = answers[0].json()
    assert (back["text"], back["type"], back["version"]) == ("edited", "regular", 4)
    assert (back["deletedAt"], back["deletedBy"], back["reactionCounts"]) == (None, None, {":yes:": 1})
    assert (back["custom"], back["attachments"], back["seq"]) == (
        {"a": 1},
        sent["attachments"],
        sent["seq"],
    )
    events = await room.events("message.deleted", "message.undeleted")
    assert [told(event) for event in events] == [
        ("message.deleted", str(back["cv"] - 1)),
        ("message.undeleted", str(back["cv"])),
    ]
    assert events[1]["data"] == back
    assert await chat.sql("select from deleted_content where message_id = $1", UUID(sent["id"])) == []
    await room.call(room.ann, "DELETE", path)
    assert (await room.call(room.ann, "POST", f"{path}/undelete")).json()["text"] == "edited"


async def test_a_moderators_deletion_is_not_the_authors_to_take_back(room: MessageRoom) -> None:
    own, removed = await room.send("own", room.bob), await room.send("removed", room.bob)
    await room.call(room.bob, "DELETE", f"/{own['id']}")
    await room.call(room.ann, "DELETE", f"/{removed['id']}")
    other = await room.send("of the owner")
    await room.call(room.ann, "DELETE", f"/{other['id']}")

    assert (await room.call(room.bob, "POST", f"/{own['id']}/undelete")).json()["text"] == "own"
    for message in (removed, other):
        refused = await room.call(room.bob, "POST", f"/{message['id']}/undelete")
        assert (refused.status_code, error_code(refused)) == (403, "role_too_low")
    assert (await room.server("POST", f"/{removed['id']}/undelete")).json()["text"] == "removed"


async def test_after_its_time_a_message_is_not_restored_and_its_copy_is_deleted(
    room: MessageRoom, chat: Chat
) -> None:
    over, kept = await room.send("over"), await room.send("kept")
    for message in (over, kept):
        await room.call(room.ann, "DELETE", f"/{message['id']}")
    await chat.sql(
        "update deleted_content set expires_at = $2 where message_id = $1",
        UUID(over["id"]),
        datetime.now(UTC) - timedelta(seconds=1),
    )

    refused = await room.call(room.ann, "POST", f"/{over['id']}/undelete")

    assert (refused.status_code, error_code(refused)) == (409, "not_restorable")
    turn = asyncio.create_task(maintenance.maintain(chat.resources.pool, Heartbeat("maintenance", 60)))

    async def forgotten() -> bool:
        return not await chat.sql("select from deleted_content where message_id = $1", UUID(over["id"]))

    try:
        await wait_for(forgotten, what="the copy is deleted")
    finally:
        turn.cancel()
        await asyncio.gather(turn, return_exceptions=True)
    assert (await room.call(room.ann, "POST", f"/{kept['id']}/undelete")).json()["text"] == "kept"


@pytest.mark.parametrize("way", ["?hard=true", "/purge"])
@pytest.mark.parametrize("is_deleted", [False, True], ids=["present", "deleted before"])
async def test_a_purge_leaves_the_words_nowhere(
    room: MessageRoom, chat: Chat, way: str, is_deleted: bool
) -> None:
    sent = await a_full_life(room)
    if is_deleted:
        assert (await room.call(room.ann, "DELETE", f"/{sent['id']}")).status_code == 200
    else:
        assert MARKER.encode() in await dump(chat)

    gone = await room.call(room.ann, "DELETE", f"/{sent['id']}{way}", Idempotency_Key=f"{sent['id']}-purge")

    assert gone.status_code == 200, gone.text
    assert (gone.json()["type"], gone.json()["text"], gone.json()["reactionCounts"]) == ("deleted", "", {})
    assert MARKER.encode() not in await dump(chat)
    for table in ("reaction", "saved_message", "message_history", "deleted_content"):
        statement = f"select from {table} where message_id = $1"
        assert await chat.sql(statement, UUID(sent["id"])) == []
    [event] = await room.events("message.purged")
    assert event["data"] == gone.json()
    assert await room.read(sent) == {**gone.json(), "quoted": None, "ownReactions": []}
    assert int(event["sequence"]) == gone.json()["cv"]
    again = await room.call(room.ann, "DELETE", f"/{sent['id']}/purge")
    assert (again.status_code, again.json()) == (200, gone.json())
    assert len(await room.events("message.purged")) == 1
    restored = await room.call(room.ann, "POST", f"/{sent['id']}/undelete")
    assert (restored.status_code, error_code(restored)) == (409, "not_restorable")


async def test_a_deletion_takes_the_words_out_of_every_event_and_answer_that_carried_them(
    room: MessageRoom, chat: Chat
) -> None:
    sent = await a_full_life(room)

    await room.call(room.ann, "DELETE", f"/{sent['id']}")

    assert MARKER.encode() not in await dump(chat)
    types = [event["type"] for event in await room.events() if event["type"].startswith("message.")]
    assert types == [
        "message.new",
        "message.updated",
        "message.pinned",
        "message.updated",
        "message.unpinned",
        "message.deleted",
        "message.undeleted",
        "message.updated",
        "message.pinned",
        "message.deleted",
    ]
    again = await room.call(
        room.ann, "PATCH", f"/{sent['id']}", {"text": f"{MARKER} 2"}, Idempotency_Key=f"{sent['id']}-0"
    )
    assert (again.status_code, again.headers["idempotent-replayed"], again.json()["text"]) == (
        200,
        "true",
        "",
    )


async def test_who_may_not_purge(room: MessageRoom, chat: Chat) -> None:
    sent = await room.send("hello", room.bob)
    foreign = await (await chat.new_tenant("other")).user("ann")

    for way in ("?hard=true", "/purge"):
        refused = await room.call(room.bob, "DELETE", f"/{sent['id']}{way}")
        assert (refused.status_code, error_code(refused)) == (403, "role_too_low")
        assert error_code(await room.call(foreign, "DELETE", f"/{sent['id']}{way}")) == "channel_not_found"
    stale = await room.call(room.ann, "DELETE", f"/{sent['id']}?hard=true&baseVersion=9")
    assert (stale.status_code, stale.json()["error"]["current"]["text"]) == (409, "hello")
    assert (await room.read(sent))["text"] == "hello"


async def test_only_a_server_sends_and_edits_system_messages(room: MessageRoom) -> None:
    body = {"text": "ann joined", "type": "system"}

    refused = await room.call(room.ann, "POST", body=body)
    sent = await room.server("POST", body={**body, "userId": "bob"})

    assert (refused.status_code, error_code(refused)) == (403, "forbidden")
    assert (sent.status_code, sent.json()["type"]) == (201, "system")
    path = f"/{sent.json()['id']}"
    assert (await room.read(sent.json()))["type"] == "system"
    assert (await room.call(room.bob, "PATCH", path, {"text": "forged"})).status_code == 403
    assert (await room.call(room.bob, "DELETE", path)).status_code == 403
    assert (await room.server("PATCH", path, {"text": "bob joined"})).json()["type"] == "system"
    await room.call(room.ann, "DELETE", path)
    assert (await room.call(room.ann, "POST", f"{path}/undelete")).json()["type"] == "system"
