"""Lists of channels on a real database: what each viewer sees, filters, orders, pages, discovery, ensuring."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chat_service.messages.writer import MessageWriter
from chatsdk_contracts.ids import AppId, ChannelId
from tests.integration.chat_service.calling import Caller, Tenant, error_code, problems
from tests.integration.chat_service.channel_rows import a_send, running_writer


@pytest.fixture
async def writer(chat_database: str) -> AsyncIterator[MessageWriter]:
    async with running_writer(chat_database) as made:
        yield made


async def say(writer: MessageWriter, tenant: Tenant, channel_id: str, text: str, user: str = "ann") -> None:
    await writer.write(a_send(AppId(tenant.id), ChannelId(channel_id), text, text, user))


async def listed(caller: Caller, query: str = "") -> list[dict[str, Any]]:
    response = await caller.call("GET", f"/api/channels{query}")
    assert response.status_code == 200, response.text
    channels: list[dict[str, Any]] = response.json()["channels"]
    return channels


async def test_a_list_has_the_last_message_and_what_is_unread(tenant: Tenant, writer: MessageWriter) -> None:
    ann, bob = await tenant.users("ann", "bob")
    busy = await ann.channel(type="group", memberIds=["bob"])
    quiet = await ann.channel(type="group", memberIds=["bob"])
    for text in ("one", "two", "three"):
        await say(writer, tenant, busy["id"], text)
    await tenant.chat.sql(
        "update channel_member set last_read_seq = 1, read_generation = 2"
        " where channel_id = $1::uuid and user_id = 'bob'",
        busy["id"],
    )
    first, second = await listed(bob)
    assert (first["id"], second["id"]) == (busy["id"], quiet["id"])
    assert (first["lastMessage"]["text"], first["lastMessage"]["seq"]) == ("three", 3)
    assert (first["unreadCount"], first["lastReadSeq"], first["readGeneration"]) == (2, 1, 2)
    assert (second["lastMessage"], second["unreadCount"]) == (None, 0)
    assert [channel["id"] for channel in await listed(bob, "?unread=true")] == [busy["id"]]
    shown = (await bob.call("GET", f"/api/channels/{busy['id']}")).json()
    assert {**shown, "members": None} == {**first, "members": None}


async def test_a_newcomer_has_nothing_unread_and_a_marker_too_far_counts_as_none(
    tenant: Tenant, writer: MessageWriter
) -> None:
    ann, bob = await tenant.users("ann", "bob")
    made = await ann.channel(type="public")
    await say(writer, tenant, made["id"], "one")
    await bob.call("POST", f"/api/channels/{made['id']}/join")
    assert [channel["unreadCount"] for channel in await listed(bob)] == [0]
    await tenant.chat.sql(
        "update channel_member set last_read_seq = 9 where channel_id = $1::uuid", made["id"]
    )
    assert [channel["unreadCount"] for channel in await listed(bob)] == [0]


async def test_the_last_message_of_an_open_channel_is_for_its_members(
    tenant: Tenant, writer: MessageWriter
) -> None:
    ann, eve = await tenant.users("ann", "eve")
    made = await ann.channel(type="public")
    await say(writer, tenant, made["id"], "for members")
    path = f"/api/channels/{made['id']}"
    assert (await eve.call("GET", path)).json()["lastMessage"] is None
    assert (await ann.call("GET", path)).json()["lastMessage"]["text"] == "for members"
    assert (await tenant.server("GET", path)).json()["lastMessage"]["text"] == "for members"


async def test_lists_are_filtered_by_type_workspace_and_name(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    workspace = (await ann.call("POST", "/api/workspaces", {"name": "W"})).json()["id"]
    team = await ann.channel(type="team", name="Alpha", workspaceId=workspace)
    group = await ann.channel(type="group", name="alpine_%")
    await ann.channel(type="group", name="Beta")
    for query, expected in (
        ("?type=team", [team]),
        (f"?workspaceId={workspace}", [team]),
        ("?q=ALP", [group, team]),
        ("?q=alpine_%25", [group]),
        ("?q=_", []),
    ):
        assert [one["id"] for one in await listed(ann, query)] == [one["id"] for one in expected], query
    for query in ("?type=x", "?workspaceId=x", "?sort=x", "?q=%00"):
        assert (await ann.call("GET", f"/api/channels{query}")).status_code == 422, query


@pytest.mark.parametrize("sort", ["lastMessageAt", "createdAt", "name", "unread"])
@pytest.mark.parametrize("as_server", [False, True])
async def test_every_order_is_paged_without_gap_or_repeat(
    tenant: Tenant, writer: MessageWriter, sort: str, as_server: bool
) -> None:
    ann = await tenant.user("ann")
    names = ["b", "a", None, "C", "a", "ü", "b"]
    made = [(await ann.channel(type="group", name=name))["id"] for name in names]
    for number, channel_id in enumerate(made[:4]):
        for message in range(number % 3):
            await say(writer, tenant, channel_id, f"m{message}")
    query = f"?limit=2&sort={sort}" + ("&userId=ann" if as_server else "")
    call = tenant.server if as_server else ann.call
    seen: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = (await call("GET", f"/api/channels{query}{cursor}")).json()
        seen += page["channels"]
        if not page["hasMore"]:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert sorted(channel["id"] for channel in seen) == sorted(made)
    keys = {
        "lastMessageAt": [channel["lastMessageAt"] or channel["createdAt"] for channel in seen],
        "createdAt": [channel["createdAt"] for channel in seen],
        "name": [(channel["name"] or "").lower() for channel in seen],
        "unread": [channel["unreadCount"] for channel in seen],
    }[sort]
    assert keys == sorted(keys, reverse=sort != "name")
    other = "name" if sort != "name" else "unread"
    assert (await ann.call("GET", f"/api/channels?sort={other}{cursor}")).status_code == 400


async def test_a_server_without_a_user_cannot_ask_for_what_is_a_users_own(tenant: Tenant) -> None:
    await (await tenant.user("ann")).channel(type="group")
    response = await tenant.server("GET", "/api/channels?starred=true")
    assert problems(response) == {"starred": "needs_user"}
    (channel,) = (await tenant.server("GET", "/api/channels?sort=name")).json()["channels"]
    assert (channel["role"], channel["unreadCount"]) == (None, 0)


async def test_discovery_lists_what_may_be_joined_by_name(tenant: Tenant) -> None:
    ann, eve = await tenant.users("ann", "eve")
    workspace = (await ann.call("POST", "/api/workspaces", {"name": "W"})).json()["id"]
    for kind, name, more in (
        ("public", "Beta", {}),
        ("livestream", "alpha", {}),
        ("team", "Gamma", {}),
        ("team", "Of the workspace", {"workspaceId": workspace}),
        ("public", "Secret", {"config": {"private": True}}),
        ("group", "Group", {}),
        ("private", "Private", {}),
    ):
        await ann.channel(type=kind, name=name, **more)
    first = (await eve.call("GET", "/api/channels/discover?limit=2")).json()
    rest = (await eve.call("GET", f"/api/channels/discover?limit=2&cursor={first['nextCursor']}")).json()
    found = [channel["name"] for channel in first["channels"] + rest["channels"]]
    assert found == ["alpha", "Beta", "Gamma"]
    assert (rest["hasMore"], rest["nextCursor"]) == (False, None)
    assert (await ann.call("GET", "/api/channels/discover")).json()["channels"] == []
    for query, expected in (("?q=BE", ["Beta"]), ("?type=team", ["Gamma"]), ("?q=x", [])):
        page = (await eve.call("GET", f"/api/channels/discover{query}")).json()
        assert [channel["name"] for channel in page["channels"]] == expected
    everything = (await tenant.server("GET", "/api/channels/discover")).json()["channels"]
    assert len(everything) == 4
    others = await (await tenant.chat.new_tenant()).user("eve")
    assert (await others.call("GET", "/api/channels/discover")).json()["channels"] == []
    assert (await tenant.chat.call("GET", "/api/channels/discover")).status_code == 401
    assert (await eve.call("GET", "/api/channels/discover?cursor=WyJ4IiwieSJd")).status_code == 400


async def test_a_group_is_ensured_once_by_its_external_id(tenant: Tenant) -> None:
    ann, _ = await tenant.users("ann", "bob")
    body = {"externalId": "order-1", "name": "Order", "memberIds": ["ann", "bob"]}
    path = "/api/channels/group/ensure"
    answers = await asyncio.gather(*(tenant.server("POST", path, body) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    channel_id = answers[0].json()["id"]
    assert len(await tenant.events(f"channels/{channel_id}")) == 3
    assert (await ann.call("GET", f"/api/channels/{channel_id}")).json()["role"] == "owner"
    others = await tenant.chat.new_tenant()
    await others.users("ann", "bob")
    assert (await others.server("POST", path, body)).json()["id"] != channel_id
    await tenant.server("DELETE", f"/api/channels/{channel_id}")
    assert (await tenant.server("POST", path, body)).status_code == 201
    unknown = await tenant.server("POST", path, {**body, "externalId": "x", "memberIds": ["ann", "x"]})
    assert problems(unknown) == {"memberIds[1]": "unknown_user"}
    refused = await ann.call("POST", path, body)
    assert (refused.status_code, error_code(refused)) == (403, "forbidden")


async def test_a_direct_channel_is_ensured_as_users_make_it(tenant: Tenant) -> None:
    ann, _ = await tenant.users("ann", "bob")
    path = "/api/channels/dm/ensure"
    made = await tenant.server("POST", path, {"requesterUserId": "bob", "peerUserId": "ann"})
    again = await tenant.server("POST", path, {"requesterUserId": "ann", "peerUserId": "bob"})
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json()["id"] == again.json()["id"] == (await ann.channel(memberIds=["bob"]))["id"]
    same = await tenant.server("POST", path, {"requesterUserId": "ann", "peerUserId": "ann"})
    assert same.status_code == 422
    assert (await ann.call("POST", path, {"requesterUserId": "ann", "peerUserId": "bob"})).status_code == 403
    assert (await tenant.chat.call("POST", path, {})).status_code == 401


async def test_a_livestream_begins_without_typing_and_read_events(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    stream = await ann.channel(type="livestream", config={"slowModeS": 30, "readEvents": True})
    config = stream["config"]
    assert (config["typingEvents"], config["readEvents"], config["slowModeS"]) == (False, True, 30)
    for wrong in (
        {"slowModeS": 3601},
        {"slowModeS": -1},
        {"maxMessageLength": 0},
        {"maxMessageLength": 20001},
    ):
        response = await ann.call("PATCH", f"/api/channels/{stream['id']}", {"config": wrong})
        assert response.status_code == 422
