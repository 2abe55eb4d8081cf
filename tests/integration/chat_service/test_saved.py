"""Saved messages through the doors: one's own list, and only what one may still see."""

import asyncio
from typing import Any

import httpx2
import pytest

from tests.integration.chat_service.calling import Caller, Chat, Tenant, error_code
from tests.integration.chat_service.message_room import UNKNOWN_ID, MessageRoom, a_room


@pytest.fixture
async def room(tenant: Tenant) -> MessageRoom:
    return await a_room(tenant)


async def save(
    room: MessageRoom, who: Caller, message: dict[str, Any], method: str = "POST"
) -> httpx2.Response:
    return await room.call(who, method, f"/{message['id']}/save")


async def saved(who: Caller, query: str = "") -> dict[str, Any]:
    response = await who.call("GET", f"/api/users/me/saved{query}")
    assert response.status_code == 200, response.text
    page: dict[str, Any] = response.json()
    return page


async def test_a_message_is_saved_once_and_seen_by_oneself_alone(room: MessageRoom, chat: Chat) -> None:
    sent = await room.send("hello")
    before = len(await room.events())

    answers = await asyncio.gather(*(save(room, room.bob, sent) for _ in range(5)))

    assert sorted(answer.status_code for answer in answers) == [200] * 4 + [201]
    assert len({answer.text for answer in answers}) == 1
    [message] = (await saved(room.bob))["messages"]
    assert message["channel"] == {"id": room.id, "name": "room"}
    assert message["savedAt"] == answers[0].json()["savedAt"]
    assert (message["text"], message["ownReactions"]) == ("hello", [])
    assert (await saved(room.ann))["messages"] == []
    assert len(await room.events()) == before
    (user,) = await chat.sql(
        "select state_version from app_user where app_id = $1 and id = 'bob'", room.tenant.id
    )
    assert user["state_version"] == 1
    gone = await save(room, room.bob, sent, "DELETE")
    assert (gone.status_code, gone.json()["savedAt"]) == (200, None)
    assert (await save(room, room.bob, sent, "DELETE")).json() == gone.json()
    assert (await saved(room.bob))["messages"] == []


async def test_the_list_is_read_page_by_page_the_newest_first(room: MessageRoom) -> None:
    for number in range(5):
        await save(room, room.bob, await room.send(f"m{number}"))

    texts, cursor = [], ""
    while True:
        page = await saved(room.bob, f"?limit=2{cursor}")
        texts += [message["text"] for message in page["messages"]]
        if not page["hasMore"]:
            break
        cursor = f"&cursor={page['nextCursor']}"

    assert sorted(texts) == [f"m{number}" for number in range(5)]
    assert (await room.bob.call("GET", "/api/users/me/saved?cursor=x")).status_code == 400


async def test_what_one_may_not_see_any_more_leaves_the_list(room: MessageRoom) -> None:
    stays, deleted = await room.send("stays"), await room.send("deleted")
    other = await a_room(room.tenant, name="other")
    elsewhere = await other.send("elsewhere")
    for place, message in ((room, stays), (room, deleted), (other, elsewhere)):
        await save(place, room.bob, message)

    await room.call(room.ann, "DELETE", f"/{deleted['id']}")
    await room.bob.call("POST", f"/api/channels/{other.id}/leave")
    assert [message["text"] for message in (await saved(room.bob))["messages"]] == ["stays"]

    await room.call(room.ann, "POST", f"/{deleted['id']}/undelete")
    texts = {message["text"] for message in (await saved(room.bob))["messages"]}
    assert texts == {"stays", "deleted"}


async def test_what_cannot_be_saved(room: MessageRoom, chat: Chat) -> None:
    sent, gone = await room.send("hello"), await room.send("gone")
    await room.call(room.ann, "DELETE", f"/{gone['id']}")
    eve = await room.tenant.user("eve")
    foreign = await (await chat.new_tenant("other")).user("ann")

    assert error_code(await save(room, eve, sent)) == "not_a_member"
    assert error_code(await save(room, foreign, sent)) == "channel_not_found"
    assert error_code(await save(room, room.bob, {"id": UNKNOWN_ID})) == "message_not_found"
    refused = await save(room, room.bob, gone)
    assert (refused.status_code, error_code(refused)) == (409, "message_deleted")
    by_server = await room.server("POST", f"/{sent['id']}/save")
    assert by_server.status_code == 403
