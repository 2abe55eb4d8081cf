"""Members of channels on a real database: coming, going, roles."""

import asyncio
from collections.abc import Awaitable

import httpx2

from tests.integration.chat_service.calling import Tenant, error_code, problems


async def test_members_are_added_once_in_order(tenant: Tenant) -> None:
    ann, _, _ = await tenant.users("ann", "bob", "cid")
    made = await ann.channel(type="group", memberIds=["bob"])
    path = f"/api/channels/{made['id']}/members"
    response = await ann.call("POST", path, {"userIds": ["cid", "bob", "cid"], "role": "moderator"})
    assert response.status_code == 200
    added = response.json()
    assert added["addedCount"] == 1
    assert [(member["userId"], member["role"]) for member in added["members"]] == [
        ("cid", "moderator"),
        ("bob", "member"),
    ]
    again = (await ann.call("POST", path, {"userId": "cid"})).json()
    assert again["addedCount"] == 0
    event = (await tenant.events(f"channels/{made['id']}"))[-1]
    assert (event["type"], event["sequence"]) == ("user.joined", "4")
    assert event["data"] == {
        "channelId": made["id"],
        "userId": "cid",
        "role": "moderator",
        "actorId": "ann",
        "reason": "added",
    }
    listed = (await ann.call("GET", f"{path}?limit=2")).json()
    assert [member["userId"] for member in listed["members"]] == ["ann", "bob"]
    rest = (await ann.call("GET", f"{path}?limit=2&cursor={listed['nextCursor']}")).json()
    assert [member["userId"] for member in rest["members"]] == ["cid"]


async def test_bad_additions_are_named(tenant: Tenant) -> None:
    ann, _ = await tenant.users("ann", "bob")
    made = await ann.channel(type="group")
    path = f"/api/channels/{made['id']}/members"
    assert problems(await ann.call("POST", path, {"userIds": ["bob", "x"]})) == {"userIds[1]": "unknown_user"}
    assert problems(await ann.call("POST", path, {"userId": "x"})) == {"userId": "unknown_user"}
    assert problems(await ann.call("POST", path, {})) == {"body": "one_of"}
    assert problems(await ann.call("POST", path, {"userId": "bob", "userIds": ["bob"]})) == {"body": "one_of"}
    assert problems(await ann.call("POST", path, {"userId": "bob", "role": "king"})) == {
        "role": "literal_error"
    }
    assert problems(await ann.call("POST", path, {"userIds": []})) == {"userIds": "too_short"}


async def test_roles_decide_who_adds_changes_and_removes(tenant: Tenant) -> None:
    ann, bob, cid, dan = await tenant.users("ann", "bob", "cid", "dan")
    await tenant.user("eve")
    made = await ann.channel(type="group", memberIds=["dan"])
    path = f"/api/channels/{made['id']}/members"
    await ann.call("POST", path, {"userId": "bob", "role": "admin"})
    await ann.call("POST", path, {"userId": "cid", "role": "moderator"})

    async def code(answer: Awaitable[httpx2.Response]) -> str:
        response = await answer
        return error_code(response) if response.status_code >= 400 else "ok"

    assert await code(dan.call("POST", path, {"userId": "eve"})) == "role_too_low"
    assert await code(cid.call("POST", path, {"userId": "eve", "role": "moderator"})) == "role_too_low"
    assert await code(cid.call("POST", path, {"userId": "eve"})) == "ok"
    assert await code(cid.call("PATCH", f"{path}/bob", {"role": "member"})) == "role_too_low"
    assert await code(bob.call("PATCH", f"{path}/cid", {"role": "admin"})) == "role_too_low"
    assert await code(bob.call("PATCH", f"{path}/bob", {"role": "owner"})) == "role_too_low"
    assert await code(bob.call("DELETE", f"{path}/ann")) == "role_too_low"
    assert await code(bob.call("DELETE", f"{path}/cid")) == "ok"
    assert await code(dan.call("DELETE", f"{path}/eve")) == "role_too_low"
    assert await code(bob.call("DELETE", f"{path}/nobody")) == "member_not_found"
    assert await code(ann.call("PATCH", f"{path}/bob", {"role": "owner"})) == "ok"
    assert await code(ann.call("PATCH", f"{path}/bob", {"role": "member"})) == "role_too_low"
    assert await code(ann.call("PATCH", f"{path}/ann", {"role": "member"})) == "ok"
    assert await code(bob.call("PATCH", f"{path}/bob", {"role": "admin"})) == "last_owner"
    assert await code(tenant.server("DELETE", f"{path}/bob")) == "ok"


async def test_lists_tell_of_members_who_and_in_which_role_and_no_more(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    private = {"email": "bob@secret.example", "custom": {"s": "MARKER-OWN"}}
    assert (await tenant.server("PATCH", "/api/users/bob", private)).status_code == 200
    room = (await ann.channel(type="group", memberIds=["bob"]))["id"]

    answers = [
        await ann.call("GET", path) for path in (f"/api/channels/{room}/members", f"/api/channels/{room}")
    ]
    lists = [await ann.call("GET", "/api/channels"), *answers]

    for members in (answer.json()["members"] for answer in answers):
        assert {name for member in members for name in member} == {"channelId", "userId", "role", "joinedAt"}
    assert not any(secret in one.text for one in lists for secret in ("bob@secret.example", "MARKER-OWN"))
    assert bob.id in answers[0].text


async def test_a_new_role_is_told_once(tenant: Tenant) -> None:
    ann, _ = await tenant.users("ann", "bob")
    made = await ann.channel(type="group", memberIds=["bob"])
    path = f"/api/channels/{made['id']}/members/bob"
    changed = (await ann.call("PATCH", path, {"role": "admin"})).json()
    assert changed["role"] == "admin"
    assert (await ann.call("PATCH", path, {"role": "admin"})).json() == changed
    events = await tenant.events(f"channels/{made['id']}")
    assert len(events) == 4
    assert events[-1]["type"] == "member.updated"
    assert events[-1]["data"] == {**changed, "changed": ["role"]}


async def test_open_channels_are_joined_and_left(tenant: Tenant) -> None:
    ann, eve = await tenant.users("ann", "eve")
    made = await ann.channel(type="livestream")
    path = f"/api/channels/{made['id']}"
    first = await eve.call("POST", f"{path}/join")
    assert first.status_code == 201
    assert first.json()["role"] == "member"
    again = await eve.call("POST", f"{path}/join")
    assert again.status_code == 200
    assert again.json() == first.json()
    left = await eve.call("POST", f"{path}/leave")
    assert left.status_code == 200
    assert left.json()["reason"] == "left"
    assert error_code(await eve.call("POST", f"{path}/leave")) == "not_a_member"
    events = await tenant.events(f"channels/{made['id']}")
    assert [(event["type"], event["data"].get("reason")) for event in events[2:]] == [
        ("user.joined", "joined"),
        ("user.left", "left"),
    ]
    copies = await tenant.chat.sql(
        "select copies from event where subject = $1 and type = 'user.left'", f"channels/{made['id']}"
    )
    assert len(copies[0]["copies"]) == 1
    group = await ann.channel(type="group")
    refused = await eve.call("POST", f"/api/channels/{group['id']}/join")
    assert error_code(refused) == "not_a_member"
    private = await ann.channel(type="private")
    assert (await eve.call("POST", f"/api/channels/{private['id']}/join")).status_code == 404


async def test_concurrent_joins_of_one_user_are_one(tenant: Tenant) -> None:
    ann, eve = await tenant.users("ann", "eve")
    made = await ann.channel(type="public")
    answers = await asyncio.gather(*(eve.call("POST", f"/api/channels/{made['id']}/join") for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
    assert len(await tenant.events(f"channels/{made['id']}")) == 3


async def test_the_last_owner_hands_over_before_leaving(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    made = await ann.channel(type="group", memberIds=["bob"])
    path = f"/api/channels/{made['id']}"
    refused = await ann.call("POST", f"{path}/leave")
    assert (refused.status_code, error_code(refused)) == (409, "last_owner")
    await ann.call("PATCH", f"{path}/members/bob", {"role": "owner"})
    assert (await ann.call("DELETE", f"{path}/members/ann")).json()["reason"] == "left"
    assert (await bob.call("POST", f"{path}/leave")).status_code == 200
    assert (await tenant.server("GET", path)).json()["memberCount"] == 0


async def test_two_owners_who_leave_at_once_do_not_both_go(tenant: Tenant) -> None:
    ann, bob, _ = await tenant.users("ann", "bob", "cid")
    made = await ann.channel(type="group", memberIds=["bob", "cid"])
    path = f"/api/channels/{made['id']}"
    await ann.call("PATCH", f"{path}/members/bob", {"role": "owner"})
    answers = await asyncio.gather(ann.call("POST", f"{path}/leave"), bob.call("POST", f"{path}/leave"))
    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_a_direct_channel_keeps_its_two_members(tenant: Tenant) -> None:
    ann, bob, eve = await tenant.users("ann", "bob", "eve")
    made = await ann.channel(memberIds=["bob"])
    path = f"/api/channels/{made['id']}"
    for answer in (
        await ann.call("POST", f"{path}/members", {"userId": "eve"}),
        await ann.call("PATCH", f"{path}/members/bob", {"role": "admin"}),
        await ann.call("DELETE", f"{path}/members/bob"),
        await bob.call("POST", f"{path}/leave"),
        await tenant.server("POST", f"{path}/members", {"userId": "eve"}),
    ):
        assert (answer.status_code, error_code(answer)) == (403, "membership_fixed")
    assert error_code(await eve.call("POST", f"{path}/join")) == "not_a_member"
