"""What a reply shows of the message that it quotes: as that is now, on reads alone."""

import pytest

from tests.integration.chat_service.calling import Chat, Tenant
from tests.integration.chat_service.message_room import MessageRoom, a_room


@pytest.fixture
async def room(tenant: Tenant) -> MessageRoom:
    return await a_room(tenant)


async def test_a_reply_shows_who_it_quotes_and_how_that_begins(room: MessageRoom) -> None:
    long = "\N{GRINNING FACE}" * 250
    quoted = await room.send(long, room.bob)
    reply = await room.send("yes", replyToId=quoted["id"])

    expected = {"id": quoted["id"], "userId": "bob", "text": long[:200], "deleted": False}
    assert (await room.read(reply))["quoted"] == expected
    assert (await room.read(quoted))["quoted"] is None
    listed = (await room.call(room.bob, "GET")).json()["messages"]
    assert [message["quoted"] for message in listed] == [None, expected]
    assert (await room.server("GET", f"/{reply['id']}")).json()["quoted"] == expected


async def test_a_quote_follows_what_becomes_of_the_quoted_message(room: MessageRoom) -> None:
    quoted = await room.send("before", room.bob)
    reply = await room.send("yes", replyToId=quoted["id"])

    await room.call(room.bob, "PATCH", f"/{quoted['id']}", {"text": "after"})
    assert (await room.read(reply))["quoted"]["text"] == "after"
    await room.call(room.bob, "DELETE", f"/{quoted['id']}")
    assert (await room.read(reply))["quoted"] == {
        "id": quoted["id"],
        "userId": "bob",
        "text": "",
        "deleted": True,
    }
    await room.call(room.ann, "DELETE", f"/{reply['id']}")
    assert (await room.read(reply))["quoted"] is None


async def test_no_event_and_no_answer_to_a_change_holds_what_one_reader_sees(
    room: MessageRoom, chat: Chat
) -> None:
    quoted = await room.send("quoted words", room.bob)
    reply = await room.send("yes", replyToId=quoted["id"])
    edited = await room.call(room.ann, "PATCH", f"/{reply['id']}", {"text": "no"})

    for shown in (reply, edited.json()):
        assert not {"quoted", "ownReactions"} & set(shown)
    for event in await room.events("message.new", "message.updated"):
        assert not {"quoted", "ownReactions"} & set(event["data"])
