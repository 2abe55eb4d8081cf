"""An app's servers manage the app's own keys and settings."""

import asyncio

import pytest

from chat_service.maintenance import write_key_uses_once
from chatsdk_runtime.postgres import transaction
from tests.integration.chat_service.calling import Chat, Tenant, error_code, problems, waiting_for_locks
from tests.waiting import wait_for

KEYS = "/api/app/keys"


async def key_id(tenant: Tenant) -> str:
    """The id of the tenant's newest key."""
    listed = (await tenant.server("GET", KEYS)).json()["keys"]
    made: str = listed[-1]["id"]
    return made


async def is_let_in(tenant: Tenant) -> bool:
    return (await tenant.server("GET", "/api/users")).status_code == 200


async def test_an_app_makes_lists_and_revokes_its_own_keys(chat: Chat, tenant: Tenant) -> None:
    made = await tenant.server("POST", KEYS, {"name": "bot", "scopes": ["chat:write", "chat:read"]})
    assert made.status_code == 201
    assert made.json()["scopes"] == ["chat:read", "chat:write"]
    bot = Tenant(chat, tenant.id, made.json()["apiKey"])
    assert await is_let_in(bot)
    page = (await tenant.server("GET", KEYS)).json()
    assert [key["name"] for key in page["keys"]] == ["first key", "bot"]
    assert page["hasMore"] is False
    assert "apiKey" not in str(page)

    gone = await tenant.server("DELETE", f"{KEYS}/{made.json()['id']}")

    assert gone.status_code == 200
    assert gone.json()["revokedAt"] is not None
    assert not await is_let_in(bot)
    assert await is_let_in(tenant)
    again = await tenant.server("DELETE", f"{KEYS}/{made.json()['id']}")
    assert again.json()["revokedAt"] == gone.json()["revokedAt"]


@pytest.mark.parametrize("scopes", [["chat:write"], ["keys:manage", "users:manage"], None])
async def test_a_key_makes_no_key_that_may_more(tenant: Tenant, scopes: list[str] | None) -> None:
    manager = await tenant.limited("keys:manage", "chat:read")
    body = {} if scopes is None else {"scopes": scopes}
    refused = await manager.server("POST", KEYS, body)
    assert refused.status_code == 403
    assert error_code(refused) == "scope_missing"
    assert ("users:manage" if scopes is None else scopes[-1]) in refused.json()["error"]["hint"]
    assert (await manager.server("POST", KEYS, {"scopes": ["chat:read"]})).status_code == 201


async def test_a_limited_key_is_not_answered_with_another_keys_secret(tenant: Tenant) -> None:
    first = await tenant.server("POST", KEYS, {"name": "n"}, Idempotency_Key="same")
    again = await tenant.server("POST", KEYS, {"name": "n"}, Idempotency_Key="same")
    manager = await tenant.limited("keys:manage")
    theirs = await manager.server("POST", KEYS, {"name": "n"}, Idempotency_Key="same")
    assert again.json() == first.json()
    assert theirs.status_code == 403
    assert first.json()["apiKey"] not in theirs.text


async def test_a_limited_key_takes_back_no_key_that_may_more(tenant: Tenant) -> None:
    full = await key_id(tenant)
    manager = await tenant.limited("keys:manage", "chat:read")
    assert error_code(await manager.server("DELETE", f"{KEYS}/{full}")) == "scope_missing"
    own = await key_id(tenant)
    assert (await manager.server("DELETE", f"{KEYS}/{own}")).status_code == 200
    assert not await is_let_in(manager)


async def test_the_last_key_with_all_rights_cannot_be_taken_back(tenant: Tenant) -> None:
    first = await key_id(tenant)
    await tenant.limited("keys:manage")
    refused = await tenant.server("DELETE", f"{KEYS}/{first}")
    assert refused.status_code == 409
    assert error_code(refused) == "last_full_key"
    assert KEYS in refused.json()["error"]["hint"]
    assert await is_let_in(tenant)
    other = await tenant.limited()
    assert (await tenant.server("DELETE", f"{KEYS}/{first}")).status_code == 200
    assert not await is_let_in(tenant)
    assert await is_let_in(other)


async def test_two_full_keys_that_take_themselves_back_at_once_leave_one(chat: Chat, tenant: Tenant) -> None:
    first = await key_id(tenant)
    other = await tenant.limited()
    second = await key_id(tenant)
    async with transaction(chat.resources.pool) as tx:
        # Neither can be written before both have judged, as far as they may judge at the same time.
        await tx.execute("select 1 from api_key where app_id = $1::uuid for update", tenant.id)
        calls = [
            asyncio.create_task(tenant.server("DELETE", f"{KEYS}/{first}")),
            asyncio.create_task(other.server("DELETE", f"{KEYS}/{second}")),
        ]

        async def both_wait() -> bool:
            return await waiting_for_locks(chat) == 2

        await wait_for(both_wait)
    answers = await asyncio.gather(*calls)
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert [await is_let_in(tenant), await is_let_in(other)].count(True) == 1


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["chat:read", "chat:rule"]}, "scopes[1]"),
        ({"name": ""}, "name"),
        ({"colour": 1}, "colour"),
    ],
)
async def test_a_bad_field_of_a_key_is_named(tenant: Tenant, body: object, path: str) -> None:
    refused = await tenant.server("POST", KEYS, body)
    assert refused.status_code == 422
    assert list(problems(refused)) == [path]


async def test_another_apps_key_is_not_found(chat: Chat, tenant: Tenant) -> None:
    other = await chat.new_tenant()
    for wanted in (await key_id(other), "x"):
        refused = await tenant.server("DELETE", f"{KEYS}/{wanted}")
        assert refused.status_code == 404
        assert error_code(refused) == "api_key_not_found"
    assert await is_let_in(other)


async def test_a_users_token_manages_no_keys(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    for method, path in (("GET", KEYS), ("POST", KEYS), ("GET", "/api/app/settings")):
        assert (await ann.call(method, path, {} if method == "POST" else None)).status_code == 403


async def test_the_last_use_of_a_key_is_written_at_most_once_a_minute(chat: Chat, tenant: Tenant) -> None:
    async def last_used() -> object:
        await write_key_uses_once(chat.resources.pool, chat.resources.tokens)
        # Asking is a use as well, of which the answer does not know yet.
        return (await tenant.server("GET", KEYS)).json()["keys"][0]["lastUsedAt"]

    unused = await chat.new_tenant()
    assert (await tenant.server("GET", KEYS)).json()["keys"][0]["lastUsedAt"] is None
    first = await last_used()
    assert first is not None
    assert await last_used() == first
    await chat.sql("update api_key set last_used_at = last_used_at - interval '61 seconds'")
    assert str(await last_used()) > str(first)
    assert await chat.sql("select 1 from api_key where app_id = $1::uuid and last_used_at is null", unused.id)


async def test_settings_have_defaults_and_keep_what_is_not_given(chat: Chat, tenant: Tenant) -> None:
    assert (await tenant.server("GET", "/api/app/settings")).json()["userDirectory"] == "shared_channels"
    await chat.sql("update app set settings = '{\"laterOne\": 1}' where id = $1::uuid", tenant.id)
    changed = await tenant.server("PATCH", "/api/app/settings", {"userDirectory": "off"})
    assert changed.json()["userDirectory"] == "off"
    assert (await tenant.server("PATCH", "/api/app/settings", {})).json() == changed.json()
    [row] = await chat.sql("select settings::text from app where id = $1::uuid", tenant.id)
    assert '"laterOne": 1' in row["settings"]
    for body in ({"userDirectory": "some"}, {"colour": 1}):
        assert (await tenant.server("PATCH", "/api/app/settings", body)).status_code == 422
    other = await chat.new_tenant()
    assert (await other.server("GET", "/api/app/settings")).json()["userDirectory"] == "shared_channels"
