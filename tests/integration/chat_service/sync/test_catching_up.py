"""Catching up on a real database: nothing missed, nothing twice, what was deleted never shown again."""

import random
from typing import Any

import pytest

from chatsdk_contracts.ids import new_id
from tests.fixtures.device import Asking
from tests.integration.chat_service.calling import Caller, Chat, Tenant, error_code
from tests.integration.chat_service.sync.devices import Device, all_numbered, without_quote


async def send(user: Caller, channel: str, text: str = "hello", **fields: Any) -> dict[str, Any]:
    response = await user.call("POST", f"/api/channels/{channel}/messages", {"text": text, **fields})
    assert response.status_code == 201, response.text
    sent: dict[str, Any] = response.json()
    return sent


async def test_a_first_page_names_every_channel_and_the_next_has_only_what_came_after(
    chat: Chat, tenant: Tenant
) -> None:
    ann, bob = await tenant.users("ann", "bob")
    room = (await ann.channel(type="group", memberIds=["bob"]))["id"]
    await send(ann, room, "before")
    await all_numbered(chat)
    phone = Device(bob)

    first = await phone.page()
    assert [(one["channelId"], one["reason"]) for one in first["reset"]] == [(room, "initial")]
    assert (first["changes"], first["hasMore"], first["remaining"]) == ([], False, 0)
    assert first["user"]["id"] == "bob"

    await send(ann, room, "after")
    await all_numbered(chat)
    second = await phone.page()
    assert [change["message"]["text"] for change in second["changes"]] == ["after"]
    assert second["reset"] == second["left"] == second["states"] == []
    assert second["user"] is None

    assert (await phone.page())["changes"] == []


async def test_an_edited_and_then_deleted_message_is_shown_once_as_it_is_now(
    chat: Chat, tenant: Tenant
) -> None:
    ann, bob = await tenant.users("ann", "bob")
    room = (await ann.channel(type="group", memberIds=["bob"]))["id"]
    await all_numbered(chat)
    phone = Device(bob)
    await phone.page()
    secret = await send(ann, room, "MARKER-SECRET")
    kept = await send(ann, room, "kept")
    path = f"/api/channels/{room}/messages"
    await ann.call("PATCH", f"{path}/{kept['id']}", {"text": "changed"})
    await ann.call("DELETE", f"{path}/{secret['id']}")
    await all_numbered(chat)

    page = await phone.page()

    assert "MARKER-SECRET" not in str(page)
    shown = [(change["message"]["text"], change["cvFrom"], change["cv"]) for change in page["changes"]]
    first = secret["cv"]
    assert shown == [("changed", first, first + 2), ("", first + 3, first + 3)]
    assert page["changes"][1]["message"]["type"] == "deleted"


async def test_who_comes_in_resets_and_who_goes_is_told(chat: Chat, tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    room = (await ann.channel(type="group"))["id"]
    await send(ann, room, "not for bob's log")
    phone = Device(bob)
    await phone.page()

    await ann.call("POST", f"/api/channels/{room}/members", {"userId": "bob"})
    await send(ann, room, "welcome")
    await all_numbered(chat)
    joined = await phone.page()
    assert [(one["channelId"], one["reason"]) for one in joined["reset"]] == [(room, "joined")]
    assert joined["changes"] == []

    await ann.call("DELETE", f"/api/channels/{room}/members/bob")
    await send(ann, room, "MARKER-GONE")
    await all_numbered(chat)
    gone = await phone.page()
    assert [(one["channelId"], one["reason"]) for one in gone["left"]] == [(room, "removed")]
    assert "MARKER-GONE" not in str(gone)
    assert (await phone.page())["left"] == []


async def test_leaving_and_coming_back_between_two_pages_is_a_reset(chat: Chat, tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    room = (await ann.channel(type="group", memberIds=["bob"]))["id"]
    await all_numbered(chat)
    phone = Device(bob)
    await phone.page()
    await ann.call("DELETE", f"/api/channels/{room}/members/bob")
    await ann.call("POST", f"/api/channels/{room}/members", {"userId": "bob"})
    await all_numbered(chat)

    page = await phone.page()

    assert [one["reason"] for one in page["reset"]] == ["joined"]
    assert page["left"] == []


async def test_a_deleted_channel_is_told_as_left(chat: Chat, tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    room = (await ann.channel(type="group", memberIds=["bob"]))["id"]
    await all_numbered(chat)
    phone = Device(bob)
    await phone.page()
    await ann.call("DELETE", f"/api/channels/{room}")
    await all_numbered(chat)

    page = await phone.page()

    assert [(one["channelId"], one["reason"]) for one in page["left"]] == [(room, "deleted")]
    assert phone.seen == {}


async def test_a_message_is_shown_with_its_poll_as_it_stands_now(chat: Chat, tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    room = (await ann.channel(type="group", memberIds=["bob"]))["id"]
    asked = {"question": "tea?", "options": [{"id": "y", "text": "yes"}, {"id": "n", "text": "no"}]}
    await all_numbered(chat)
    phone = Device(bob)
    await phone.page()
    poll = (await ann.call("POST", f"/api/channels/{room}/polls", asked)).json()
    await all_numbered(chat)
    [before] = (await phone.page())["changes"]
    await bob.call("POST", f"/api/polls/{poll['id']}/vote", {"optionIds": ["y"]})
    await all_numbered(chat)

    [change] = (await phone.page())["changes"]

    assert (before["poll"]["totalVotes"], before["ownOptionIds"]) == (0, [])
    assert (change["message"]["pollId"], change["ownOptionIds"]) == (poll["id"], ["y"])
    assert [option["voteCount"] for option in change["poll"]["options"]] == [1, 0]


async def test_what_one_sent_comes_with_the_marker_that_it_moved(chat: Chat, tenant: Tenant) -> None:
    """A client need not work out whether it sent a message before or after it marked the channel as unread."""
    ann, bob = await tenant.users("ann", "bob")
    room = (await ann.channel(type="group", memberIds=["bob"]))["id"]
    await all_numbered(chat)
    phone = Device(bob)
    await phone.page()

    async def markers(limit: int = 200) -> list[tuple[int, int]]:
        await all_numbered(chat)
        return [(one["readGeneration"], one["lastReadSeq"]) for one in (await phone.page(limit))["states"]]

    await send(ann, room)
    assert await markers() == []
    await send(bob, room)
    assert await markers() == [(0, 2)]
    # The message before the mark comes on a page behind the state.
    await send(ann, room)
    await send(bob, room)
    await bob.call("POST", f"/api/channels/{room}/unread", {"seq": 4})
    assert [await markers(1), await markers(1)] == [[(1, 3)], [(1, 3)]]
    assert phone.states[room]["lastReadSeq"] == 3


async def test_a_truncated_history_is_dropped_and_never_shown(chat: Chat, tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    room = (await ann.channel(type="group", memberIds=["bob"]))["id"]
    await all_numbered(chat)
    early, late = Device(bob), Device(bob)
    await early.page()
    await late.page()
    await send(ann, room, "MARKER-OLD")
    await all_numbered(chat)
    await early.page()
    await ann.call("POST", f"/api/channels/{room}/truncate", {})
    await send(ann, room, "new")
    await all_numbered(chat)

    await early.catch_up()
    page = await late.page()

    assert "MARKER-OLD" not in str(page)
    for device in (early, late):
        assert [one["text"] for one in device.messages.values()] == ["new"]
        await _is_as_the_server_says(device, room)


async def test_pages_of_any_size_tell_the_same_and_count_down_exactly(chat: Chat, tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    rooms = [(await ann.channel(type="group", name=f"r{n}", memberIds=["bob"]))["id"] for n in range(5)]
    await all_numbered(chat)
    small, large = Device(bob), Device(bob)
    await small.page()
    await large.page()
    for number in range(40):
        await send(ann, rooms[number % 5], f"m{number}")
    await all_numbered(chat)

    pages = await small.catch_up(limit=7)
    await large.catch_up()

    assert small.messages == large.messages
    assert len(small.messages) == 40
    assert [page["remaining"] for page in pages] == [33, 26, 19, 12, 5, 0]


async def test_a_cursor_serves_nobody_else_and_a_forged_one_nobody(chat: Chat, tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    cursor = (await ann.call("GET", "/api/sync")).json()["cursor"]

    for stranger in (
        await bob.call("GET", f"/api/sync?cursor={cursor}"),
        await ann.call("GET", "/api/sync?cursor=k.A"),
    ):
        assert (stranger.status_code, error_code(stranger)) == (400, "bad_request")


async def test_another_epoch_starts_anew_and_an_old_cursor_too(chat: Chat, tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    room = (await ann.channel(type="group"))["id"]
    await all_numbered(chat)
    phone = Device(ann)
    await phone.page()
    await chat.sql("update platform set epoch = epoch + 1")
    try:
        page = await phone.page()
    finally:
        await chat.sql("update platform set epoch = epoch - 1")

    assert [(one["channelId"], one["reason"]) for one in page["reset"]] == [(room, "epoch")]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_devices_that_catch_up_now_and_then_end_with_the_truth(
    chat: Chat, tenant: Tenant, seed: int
) -> None:
    """Writers, edits, deletions, joins and leaves between pages of random sizes; then everybody has what there is."""
    chance = random.Random(seed)
    users = await tenant.users("ann", "bob", "cid")
    ann = users[0]
    rooms = [(await ann.channel(type="public", name=f"r{n}"))["id"] for n in range(3)]
    devices = [Device(user) for user in users]
    sent: list[dict[str, Any]] = []
    for _ in range(120):
        await _do_something(chance, users, rooms, sent, devices)
    await all_numbered(chat)

    for device in devices:
        await device.catch_up(limit=chance.choice([3, 50, 200]))
        assert set(device.seen) == await _rooms_of(device.user)
        for room in device.seen:
            await _is_as_the_server_says(device, room)


async def _do_something(
    chance: random.Random,
    users: list[Caller],
    rooms: list[str],
    sent: list[dict[str, Any]],
    devices: list[Device],
) -> None:
    user, room = chance.choice(users), chance.choice(rooms)
    path = f"/api/channels/{room}"
    match chance.randrange(9):
        case 0 | 1 | 2:
            response = await user.call("POST", f"{path}/messages", {"text": new_id()})
            sent += [response.json()] if response.status_code == 201 else []
        case 3 if sent:
            one = chance.choice(sent)
            await users[0].call("DELETE", f"/api/channels/{one['channelId']}/messages/{one['id']}")
        case 4 if sent:
            one = chance.choice(sent)
            author = next(each for each in users if each.id == one["userId"])
            await author.call(
                "PATCH", f"/api/channels/{one['channelId']}/messages/{one['id']}", {"text": new_id()}
            )
        case 5:
            await user.call("POST", f"{path}/join")
        case 6 if user is not users[0]:
            await user.call("POST", f"{path}/leave")
        case 7 if sent:
            one = chance.choice(sent)
            reactions = f"/api/channels/{one['channelId']}/messages/{one['id']}/reactions"
            await user.call("POST", reactions, {"type": chance.choice(["👍", "🎉"])})
        case _:
            await chance.choice(devices).page(limit=chance.choice([1, 4, 100]))


async def _rooms_of(user: Asking) -> set[str]:
    listed = (await user.call("GET", "/api/channels?limit=100")).json()["channels"]
    return {channel["id"] for channel in listed}


async def _is_as_the_server_says(device: Device, room: str) -> None:
    channel = (await device.user.call("GET", f"/api/channels/{room}")).json()
    messages = (await device.user.call("GET", f"/api/channels/{room}/messages?limit=200")).json()["messages"]
    assert device.seen[room] == channel["cv"]
    assert {key[1] for key in device.members if key[0] == room} == {
        one["userId"] for one in channel["members"]
    }
    mine = {one["id"]: one for one in device.messages.values() if one["channelId"] == room}
    assert mine == {one["id"]: without_quote(one) for one in messages}


async def test_a_thread_and_its_mentions_are_as_they_are_now(chat: Chat, tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    room = (await ann.channel(type="group", memberIds=["bob"]))["id"]
    parent = await send(ann, room, "first")
    await all_numbered(chat)
    phone = Device(bob)
    await phone.page()

    replies = [await send(ann, room, f"@bob {number}", parentId=parent["id"]) for number in range(3)]
    await ann.call("DELETE", f"/api/channels/{room}/messages/{replies[1]['id']}")
    await all_numbered(chat)
    # One change a page: what is cut off between a reply and its thread is shown all the same.
    await phone.catch_up(limit=1)

    assert phone.messages[parent["id"]]["replyCount"] == 2
    assert [phone.messages[one["id"]]["mentions"] for one in replies] == [["bob"], [], ["bob"]]
    assert phone.messages[parent["id"]]["cv"] == phone.seen[room]
