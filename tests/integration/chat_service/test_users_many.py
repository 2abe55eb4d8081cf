"""Many users in one call."""

import asyncio
from typing import Any

import pytest

from chatsdk_runtime.postgres import transaction
from tests.integration.chat_service.calling import Chat, Tenant, problems, waiting_for_locks
from tests.waiting import wait_for

BULK = "/api/users/bulk-ensure"


async def events_of(chat: Chat, tenant: Tenant) -> list[tuple[str, str]]:
    rows = await chat.sql(
        "select type, subject from event where app_id = $1::uuid and type like 'user.%' order by id",
        tenant.id,
    )
    return [(row["type"], row["subject"]) for row in rows]


@pytest.mark.parametrize("path", [BULK, "/api/users/sync"])
async def test_many_users_are_made_changed_and_found_in_one_call(
    chat: Chat, tenant: Tenant, path: str
) -> None:
    await tenant.server("POST", "/api/users/ensure", {"userId": "old", "name": "Old"})
    await tenant.server("POST", "/api/users/ensure", {"userId": "same", "name": "Same"})
    users = [
        {"userId": "new", "name": "New", "email": "n@example.org", "custom": {"a": [1]}},
        {"userId": "old", "name": "Older", "image": "https://x/1"},
        {"userId": "same", "name": "Same"},
        {"userId": "bare"},
    ]
    answer = await tenant.server("POST", path, {"users": users})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["created"], told["updated"], told["existing"]) == (2, 1, 1)
    assert [(user["id"], user["created"]) for user in told["users"]] == [
        ("new", True),
        ("old", False),
        ("same", False),
        ("bare", True),
    ]
    assert told["users"][0]["email"] == "n@example.org"
    assert told["users"][1]["name"] == "Older"
    read = (await tenant.server("GET", "/api/users/new")).json()
    assert read == {name: value for name, value in told["users"][0].items() if name != "created"}
    assert sorted((await events_of(chat, tenant))[2:]) == [
        ("user.created", "users/bare"),
        ("user.created", "users/new"),
        ("user.updated", "users/old"),
    ]
    changed = [event for event in await tenant.events("users/old") if event["appid"] == tenant.id][-1]
    assert (changed["sequence"], changed["data"]["changed"]) == ("2", ["name", "image"])


async def test_a_repeat_changes_nothing_and_writes_no_event(chat: Chat, tenant: Tenant) -> None:
    body = {"users": [{"userId": f"u{number}", "name": f"User {number}"} for number in range(50)]}
    first = (await tenant.server("POST", BULK, body)).json()
    again = (await tenant.server("POST", BULK, body)).json()
    assert (first["created"], again["created"], again["existing"]) == (50, 0, 50)
    assert len(await events_of(chat, tenant)) == 50


async def test_a_thousand_users_in_one_call_and_no_more(tenant: Tenant) -> None:
    users = [{"userId": f"user-{number}", "name": "A name"} for number in range(1_001)]
    assert (await tenant.server("POST", BULK, {"users": users[1:]})).json()["created"] == 1_000
    assert problems(await tenant.server("POST", BULK, {"users": users})) == {"users": "too_long"}
    assert problems(await tenant.server("POST", BULK, {"users": []})) == {"users": "too_short"}


async def test_calls_with_the_same_users_in_any_order_make_each_once(chat: Chat, tenant: Tenant) -> None:
    users: list[dict[str, Any]] = [{"userId": f"u{number}", "name": "N"} for number in range(9)]
    async with transaction(chat.resources.pool) as tx:
        # Both come as far as they can: in another order each would hold what the other one needs.
        await tx.execute(
            "insert into app_user (app_id, id, created_at, updated_at) values ($1::uuid, 'u4', now(), now())",
            tenant.id,
        )
        orders = [users, users[::-1]]
        calls = [asyncio.create_task(tenant.server("POST", BULK, {"users": one})) for one in orders]

        async def both_wait() -> bool:
            return await waiting_for_locks(chat) == 2

        await wait_for(both_wait)
        await tx.execute("delete from app_user where app_id = $1::uuid and id = 'u4'", tenant.id)
    answers = await asyncio.gather(*calls)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert sum(answer.json()["created"] for answer in answers) == 9
    assert len(await events_of(chat, tenant)) == 9


async def test_all_or_none_and_every_bad_field_is_named_by_its_place(chat: Chat, tenant: Tenant) -> None:
    bad = {"users": [{"userId": "a"}, {"userId": "b", "name": ""}, {"userId": "c", "email": "x y@z"}, {}]}
    assert problems(await tenant.server("POST", BULK, bad)) == {
        "users[1].name": "string_too_short",
        "users[2].email": "string_pattern_mismatch",
        "users[3].userId": "missing",
    }
    twice = {"users": [{"userId": "a"}, {"userId": "b"}, {"userId": "a"}]}
    assert problems(await tenant.server("POST", BULK, twice)) == {"users[2].userId": "duplicate"}
    assert await events_of(chat, tenant) == []


async def test_only_servers_may(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    assert (await ann.call("POST", BULK, {"users": [{"userId": "x"}]})).status_code == 403
