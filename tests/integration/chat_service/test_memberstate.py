"""Muting, starring and hiding on a real database: private, told once, numbered with the user's other events."""

import asyncio

import orjson
import pytest

from chatsdk_contracts.ids import AppId, ChannelId
from tests.integration.chat_service.calling import Caller, Tenant, error_code
from tests.integration.chat_service.channel_rows import a_send, running_writer


async def state_events(tenant: Tenant, user_id: str) -> list[tuple[str, list[str]]]:
    """The sequence and changed fields of this app's events about the user's private state."""
    rows = await tenant.chat.sql(
        "select convert_from(body, 'utf8')::jsonb as event from event"
        " where app_id = $1::uuid and subject = $2 and type = 'user_state.updated' order by version",
        tenant.id,
        f"users/{user_id}",
    )
    parsed = [orjson.loads(row["event"]) for row in rows]
    return [(event["sequence"], event["data"]["changed"]) for event in parsed]


async def listed(caller: Caller, query: str = "") -> list[str]:
    response = await caller.call("GET", f"/api/channels{query}")
    assert response.status_code == 200, response.text
    return [channel["id"] for channel in response.json()["channels"]]


async def test_each_change_is_told_once_and_numbered_densely_with_the_users_own(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    made = await ann.channel(type="group")
    path = f"/api/channels/{made['id']}"
    assert (await ann.call("PATCH", f"{path}/star", {"starred": True})).json()["starred"] is True
    await ann.call("PATCH", f"{path}/star", {"starred": True})
    await tenant.server("POST", "/api/users/ensure", {"userId": "ann", "name": "Ann"})
    muted = (await ann.call("PATCH", f"{path}/mute", {"muted": True})).json()
    assert muted["mutedUntil"] == "9999-12-31T23:59:59.999Z"
    await ann.call("PATCH", f"{path}/mute", {"muted": True})
    await ann.call("PATCH", f"{path}/mute", {"muted": False})
    await ann.call("PATCH", f"{path}/hide", {"hidden": True, "clearHistory": True})

    assert await state_events(tenant, "ann") == [
        ("2", ["starred"]),
        ("4", ["mutedUntil"]),
        ("5", ["mutedUntil"]),
        ("6", ["hidden"]),
    ]
    (row,) = await tenant.chat.sql(
        "select u.version, u.state_version, m.state_version as of_member, m.state_updated_at from app_user u"
        " join channel_member m on m.app_id = u.app_id and m.user_id = u.id where u.app_id = $1::uuid",
        tenant.id,
    )
    assert (row["version"], row["state_version"], row["of_member"]) == (6, 4, 4)
    assert row["state_updated_at"] is not None


async def test_changes_at_once_leave_no_hole_in_the_users_versions(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    made = [await ann.channel(type="group") for _ in range(5)]
    calls = [
        ann.call("PATCH", f"/api/channels/{channel['id']}/{what}", body)
        for channel in made
        for what, body in (
            ("star", {"starred": True}),
            ("mute", {"muted": True}),
            ("star", {"starred": True}),
        )
    ]
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} == {200}
    assert [sequence for sequence, _ in await state_events(tenant, "ann")] == [
        str(version) for version in range(2, 12)
    ]


async def test_a_channel_shows_what_its_viewer_keeps_and_to_nobody_else(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    made = await ann.channel(type="group", memberIds=["bob"])
    path = f"/api/channels/{made['id']}"
    await ann.call("PATCH", f"{path}/mute", {"muted": True, "untilS": 60})
    await ann.call("PATCH", f"{path}/star", {"starred": True})
    shown = (await ann.call("GET", path)).json()
    assert (shown["muted"], shown["starred"], shown["role"]) == (True, True, "owner")
    assert shown["mutedUntil"] is not None
    of_bob = (await bob.call("GET", path)).json()
    assert (of_bob["muted"], of_bob["starred"], of_bob["mutedUntil"]) == (False, False, None)
    for event in await tenant.events(f"channels/{made['id']}"):
        assert not {"muted", "starred", "lastMessage", "unreadCount"} & set(event["data"])
    assert await listed(ann, "?starred=true&muted=true") == [made["id"]]
    assert await listed(bob, "?starred=true") == []
    assert await listed(bob, "?muted=false") == [made["id"]]


async def test_a_hidden_channel_comes_back_with_the_next_message(tenant: Tenant, chat_database: str) -> None:
    ann = await tenant.user("ann")
    made = await ann.channel(type="group")
    path = f"/api/channels/{made['id']}"
    app, channel = AppId(tenant.id), ChannelId(made["id"])
    async with running_writer(chat_database) as writer:
        await writer.write(a_send(app, channel, "c1", "before"))
        await ann.call("PATCH", f"{path}/hide", {"hidden": True, "clearHistory": True})
        assert await listed(ann) == []
        assert await listed(ann, "?hidden=true") == [made["id"]]
        assert (await ann.call("GET", f"{path}/messages")).json()["messages"] == []
        assert (await ann.call("GET", path)).json()["lastMessage"] is None
        await writer.write(a_send(app, channel, "c2", "after"))
    assert await listed(ann) == [made["id"]]
    assert await listed(ann, "?hidden=true") == []
    page = (await ann.call("GET", f"{path}/messages")).json()
    assert ([one["text"] for one in page["messages"]], page["truncatedSeq"]) == (["after"], 1)
    shown = (await ann.call("GET", path)).json()
    assert (shown["hidden"], shown["unreadCount"], shown["lastMessage"]["text"]) == (False, 0, "after")


@pytest.mark.parametrize(
    ("what", "body"),
    [("mute", {"muted": True}), ("star", {"starred": True}), ("hide", {"hidden": True})],
)
async def test_private_state_is_a_members_own(tenant: Tenant, what: str, body: dict[str, object]) -> None:
    ann, eve = await tenant.users("ann", "eve")
    group, private = await ann.channel(type="group"), await ann.channel(type="private")
    outsider = await (await tenant.chat.new_tenant()).user("ann")
    path = f"/api/channels/{group['id']}/{what}"
    assert (await tenant.chat.call("PATCH", path, body)).status_code == 401
    assert (await tenant.server("PATCH", path, body)).status_code == 403
    refused = await eve.call("PATCH", path, body)
    assert (refused.status_code, error_code(refused)) == (403, "not_a_member")
    assert (await eve.call("PATCH", f"/api/channels/{private['id']}/{what}", body)).status_code == 404
    assert (await outsider.call("PATCH", path, body)).status_code == 404
    assert (await ann.call("PATCH", path, {**body, "userId": "eve"})).status_code == 422


async def test_contradictions_are_refused(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    path = f"/api/channels/{(await ann.channel(type='group'))['id']}"
    assert (await ann.call("PATCH", f"{path}/mute", {"muted": False, "untilS": 5})).status_code == 422
    assert (
        await ann.call("PATCH", f"{path}/hide", {"hidden": False, "clearHistory": True})
    ).status_code == 422
