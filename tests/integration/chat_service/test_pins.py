"""Pins through the doors: few, in order, told once, unpinned by deletion."""

import asyncio

import pytest

from chat_service.pins.rules import MOST_PINS
from tests.integration.chat_service.calling import Caller, Chat, Tenant, error_code
from tests.integration.chat_service.message_room import UNKNOWN_ID, MessageRoom, a_room, told


@pytest.fixture
async def room(tenant: Tenant) -> MessageRoom:
    return await a_room(tenant)


async def pinned(room: MessageRoom, who: Caller | None = None) -> list[str]:
    """The texts of the pinned messages, as both paths list them."""
    listed = await (who or room.ann).call("GET", f"/api/channels/{room.id}/pins")
    assert listed.status_code == 200, listed.text
    assert (await room.call(who or room.ann, "GET", "/pins")).json() == listed.json()
    assert (listed.json()["hasMore"], listed.json()["nextCursor"]) == (False, None)
    return [message["text"] for message in listed.json()["messages"]]


async def test_pins_are_listed_newest_first_and_each_change_is_told_once(room: MessageRoom) -> None:
    first, second = await room.send("first"), await room.send("second")

    made = await room.call(room.bob, "POST", f"/{second['id']}/pin")
    again = await room.call(room.ann, "POST", f"/{second['id']}/pin")
    await room.call(room.ann, "POST", f"/{first['id']}/pin")

    assert (made.status_code, made.json() == again.json()) == (200, True)
    assert (made.json()["pinned"], made.json()["pinnedBy"], made.json()["version"]) == (True, "bob", 1)
    assert made.json()["pinnedAt"] is not None
    assert await pinned(room) == ["first", "second"]
    gone = await room.call(room.bob, "DELETE", f"/{first['id']}/pin")
    await room.call(room.bob, "DELETE", f"/{first['id']}/pin")
    assert (gone.json()["pinned"], gone.json()["pinnedAt"], gone.json()["pinnedBy"]) == (False, None, None)
    assert await pinned(room) == ["second"]
    events = await room.events("message.pinned", "message.unpinned")
    cv = second["cv"]
    assert [told(event) for event in events] == [
        ("message.pinned", str(cv + 1)),
        ("message.pinned", str(cv + 2)),
        ("message.unpinned", str(cv + 3)),
    ]
    assert events[0]["data"] == made.json()
    assert (await room.read(first))["cv"] == cv + 3


async def test_the_same_pin_at_once_is_one_and_the_limit_holds(room: MessageRoom) -> None:
    messages = [await room.send(f"m{number}") for number in range(MOST_PINS + 2)]
    same = await asyncio.gather(
        *(room.call(room.ann, "POST", f"/{messages[0]['id']}/pin") for _ in range(10))
    )
    assert {answer.status_code for answer in same} == {200}
    assert len(await room.events("message.pinned")) == 1

    others = await asyncio.gather(
        *(room.call(room.ann, "POST", f"/{message['id']}/pin") for message in messages[1:])
    )

    refused = [answer for answer in others if answer.status_code != 200]
    assert [(answer.status_code, error_code(answer)) for answer in refused] == [(409, "too_many_pins")] * 2
    assert len(await pinned(room)) == MOST_PINS


async def test_a_repeat_by_key_shows_the_message_as_it_is_now(room: MessageRoom) -> None:
    sent = await room.send("before")
    await room.call(room.ann, "POST", f"/{sent['id']}/pin", Idempotency_Key="k")
    await room.call(room.ann, "PATCH", f"/{sent['id']}", {"text": "after"})

    again = await room.call(room.ann, "POST", f"/{sent['id']}/pin", Idempotency_Key="k")

    assert (again.headers["idempotent-replayed"], again.json()["text"]) == ("true", "after")


async def test_who_may_not_pin(room: MessageRoom, chat: Chat) -> None:
    public = await a_room(room.tenant, type="public")
    sent = await public.send("hello")
    eve = await room.tenant.user("eve")
    foreign = await (await chat.new_tenant("other")).user("ann")

    for method in ("POST", "DELETE"):
        assert error_code(await public.call(public.bob, method, f"/{sent['id']}/pin")) == "role_too_low"
        assert error_code(await public.call(eve, method, f"/{sent['id']}/pin")) == "not_a_member"
        assert error_code(await public.call(foreign, method, f"/{sent['id']}/pin")) == "channel_not_found"
        assert error_code(await public.call(public.ann, method, f"/{UNKNOWN_ID}/pin")) == "message_not_found"
    assert error_code(await public.call(eve, "GET", "/pins")) == "not_a_member"
    assert error_code(await public.call(foreign, "GET", "/pins")) == "channel_not_found"
    by_server = await public.server("POST", f"/{sent['id']}/pin")
    assert (by_server.json()["pinned"], by_server.json()["pinnedBy"]) == (True, None)


async def test_a_deleted_message_is_not_pinned_and_cannot_be(room: MessageRoom) -> None:
    sent = await room.send("hello")
    await room.call(room.ann, "POST", f"/{sent['id']}/pin")

    gone = await room.call(room.ann, "DELETE", f"/{sent['id']}")

    assert (gone.json()["pinned"], await pinned(room)) == (False, [])
    refused = await room.call(room.ann, "POST", f"/{sent['id']}/pin")
    assert (refused.status_code, error_code(refused)) == (409, "message_deleted")
