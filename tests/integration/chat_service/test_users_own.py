"""What users do with themselves and others: change how they are seen, block; and what servers do with users."""

import asyncio

import pytest

from chat_service.users.block_store import who_blocked
from chatsdk_contracts.ids import AppId, UserId
from chatsdk_runtime.postgres import reading
from tests.integration.chat_service.calling import Chat, Tenant, error_code, problems


async def test_users_change_how_others_see_them(tenant: Tenant) -> None:
    ann = await tenant.user("ann", name="Ann", email="ann@example.org")
    changed = await ann.call("PATCH", "/api/users/me", {"name": "Anna", "custom": {"mood": "fine"}})
    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["email"]) == ("Anna", "ann@example.org")
    assert (await ann.call("GET", "/api/users/me")).json() == changed.json()
    again = await ann.call("PATCH", "/api/users/me", {"name": "Anna"})
    assert again.json() == changed.json()
    events = [event for event in await tenant.events("users/ann") if event["appid"] == tenant.id]
    assert [(event["type"], event["sequence"]) for event in events] == [
        ("user.created", "1"),
        ("user.updated", "2"),
    ]
    assert events[1]["actorid"] == "ann"
    assert events[1]["data"]["changed"] == ["name", "custom"]
    assert "example.org" not in str(events)


@pytest.mark.parametrize("field", ["email", "id", "userId", "role", "scopes", "deactivatedAt"])
async def test_users_change_nothing_else_of_theirs(tenant: Tenant, field: str) -> None:
    ann = await tenant.user("ann")
    refused = await ann.call("PATCH", "/api/users/me", {field: "x@y"})
    assert problems(refused) == {field: "extra_forbidden"}


@pytest.mark.parametrize(
    "custom", [{"is_admin": True}, {"isAdmin": True, "role": "owner"}, {"scopes": ["users:manage"]}]
)
async def test_nobody_raises_their_rights_by_what_they_say_of_themselves(
    tenant: Tenant, custom: dict[str, object]
) -> None:
    ann, bob = await tenant.users("ann", "bob")
    room = await bob.channel(type="private", name="room")
    refusals = [
        ("GET", f"/api/channels/{room['id']}", None, 404),
        ("POST", "/api/users/ensure", {"userId": "x"}, 403),
        ("POST", "/api/auth/tokens", {"userId": "bob"}, 403),
        ("PATCH", "/api/users/bob", {"name": "x"}, 403),
        ("DELETE", "/api/users/bob", None, 403),
        ("GET", "/api/app/keys", None, 403),
        ("PATCH", "/api/app/settings", {"userDirectory": "all"}, 403),
        ("GET", "/admin/apps", None, 401),
    ]
    assert (await ann.call("PATCH", "/api/users/me", {"custom": custom})).status_code == 200
    fresh = await tenant.token("ann")
    for caller in (ann, fresh):
        for method, path, body, status in refusals:
            assert (await caller.call(method, path, body)).status_code == status, path


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_servers_change_users(tenant: Tenant, method: str) -> None:
    await tenant.user("ann", name="Ann", image="https://x/1")
    changed = await tenant.server(method, "/api/users/ann", {"email": "a@example.org", "image": None})
    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["image"]) == ("Ann", None)
    assert changed.json()["email"] == "a@example.org"
    assert error_code(await tenant.server(method, "/api/users/nobody", {})) == "user_not_found"
    assert problems(await tenant.server(method, "/api/users/ann", {"userId": "x"})) == {
        "userId": "extra_forbidden"
    }


@pytest.mark.parametrize(("method", "path"), [("DELETE", ""), ("POST", "/deactivate")])
async def test_a_deactivated_user_calls_no_more_and_stays_where_they_are(
    tenant: Tenant, method: str, path: str
) -> None:
    ann, bob = await tenant.users("ann", "bob")
    room = await bob.channel(type="group", name="room", memberIds=["ann"])
    assert (await ann.call("GET", "/api/users/me")).status_code == 200
    unused = await tenant.token("ann")
    answers = await asyncio.gather(*(tenant.server(method, f"/api/users/ann{path}") for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["deactivatedAt"] for answer in answers}) == 1
    assert (await ann.call("GET", "/api/users/me")).status_code == 401
    assert (await tenant.server("POST", "/api/auth/tokens", {"userId": "ann"})).status_code == 404
    members = (await bob.call("GET", f"/api/channels/{room['id']}/members")).json()["members"]
    assert {member["userId"] for member in members} == {"ann", "bob"}
    assert (await bob.call("GET", "/api/users/ann")).json()["deactivatedAt"] is not None

    back = await tenant.server("POST", "/api/users/ann/reactivate")

    assert back.json()["deactivatedAt"] is None
    assert (await ann.call("GET", "/api/users/me")).status_code == 401
    assert (await unused.call("GET", "/api/users/me")).status_code == 401
    assert (await (await tenant.token("ann")).call("GET", "/api/users/me")).status_code == 200
    assert (await tenant.server("POST", "/api/users/ann/reactivate")).json() == back.json()
    events = [event for event in await tenant.events("users/ann") if event["appid"] == tenant.id]
    assert [(event["type"], event["sequence"]) for event in events] == [
        ("user.created", "1"),
        ("user.deleted", "2"),
        ("user.updated", "3"),
    ]
    assert events[1]["data"]["deactivatedAt"] is not None
    assert events[2]["data"]["changed"] == ["deactivatedAt"]


async def test_an_unknown_user_is_neither_deactivated_nor_brought_back(chat: Chat, tenant: Tenant) -> None:
    ann = await (await chat.new_tenant()).user("ann")
    for user_id in ("ann", "%00"):
        for method, path in (("DELETE", ""), ("POST", "/deactivate"), ("POST", "/reactivate")):
            answer = await tenant.server(method, f"/api/users/{user_id}{path}")
            assert (answer.status_code, error_code(answer)) == (404, "user_not_found")
    assert (await ann.call("GET", "/api/users/me")).status_code == 200


async def test_a_user_blocks_and_unblocks_others(chat: Chat, tenant: Tenant) -> None:
    ann, bob, eve = await tenant.users("ann", "bob", "eve")
    assert (await ann.call("GET", "/api/users/me/blocked")).json() == {
        "nextCursor": None,
        "hasMore": False,
        "blockedUsers": [],
    }
    answers = await asyncio.gather(*(ann.call("POST", "/api/users/bob/block") for _ in range(5)))
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json()["userId"] == "bob"
    await ann.call("POST", "/api/users/eve/block")
    page = (await ann.call("GET", "/api/users/me/blocked?limit=1")).json()
    assert [user["id"] for user in page["blockedUsers"]] == ["bob"]
    assert page["blockedUsers"][0]["blockedAt"] == answers[0].json()["blockedAt"]
    assert "email" not in page["blockedUsers"][0]
    rest = (await ann.call("GET", f"/api/users/me/blocked?cursor={page['nextCursor']}")).json()
    assert ([user["id"] for user in rest["blockedUsers"]], rest["hasMore"]) == (["eve"], False)
    assert (await bob.call("GET", "/api/users/me/blocked")).json()["blockedUsers"] == []
    async with reading(chat.resources.pool) as connection:
        app_id, readers = AppId(tenant.id), [UserId("ann"), UserId("eve")]
        assert await who_blocked(connection, app_id, UserId("bob"), readers) == {"ann"}
        assert await who_blocked(connection, app_id, UserId("ann"), [UserId("bob")]) == frozenset()

    for _ in range(2):
        gone = await ann.call("DELETE", "/api/users/bob/block")
        assert gone.json() == {"userId": "bob", "blockedAt": None}
    assert [
        user["id"] for user in (await ann.call("GET", "/api/users/me/blocked")).json()["blockedUsers"]
    ] == ["eve"]
    [row] = await chat.sql(
        "select state_version from app_user where app_id = $1::uuid and id = 'ann'", tenant.id
    )
    assert row["state_version"] == 3
    assert eve.id == "eve"


async def test_nobody_blocks_themselves_or_a_stranger(chat: Chat, tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    await (await chat.new_tenant()).user("far")
    assert (await ann.call("POST", "/api/users/ann/block")).status_code == 422
    for method in ("POST", "DELETE"):
        for user_id in ("far", "nobody", "%00"):
            answer = await ann.call(method, f"/api/users/{user_id}/block")
            assert (answer.status_code, error_code(answer)) == (404, "user_not_found")
    assert (await tenant.server("POST", "/api/users/ann/block")).status_code == 403
