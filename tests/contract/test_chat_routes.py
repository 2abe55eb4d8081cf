"""The chat routes of the pinned contract: who may call each, and that no app sees another's."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.chat_service.calling import ADMIN, Caller, Chat, Tenant, error_code, running_doors


@pytest.fixture(scope="module")
async def chat(chat_database: str) -> AsyncIterator[Chat]:
    async with running_doors(chat_database) as doors:
        yield doors


@pytest.fixture(scope="module")
async def ours(chat: Chat) -> tuple[Tenant, Caller, str]:
    tenant = await chat.new_tenant("ours")
    ann = await tenant.user("ann")
    made = await ann.channel(type="public")
    return tenant, ann, made["id"]


@pytest.fixture(scope="module")
async def theirs(chat: Chat) -> tuple[Tenant, Caller]:
    tenant = await chat.new_tenant("theirs")
    return tenant, await tenant.user("eve")


async def test_another_apps_channel_is_told_as_one_that_does_not_exist(
    ours: tuple[Tenant, Caller, str], theirs: tuple[Tenant, Caller]
) -> None:
    channel, nowhere = ours[2], "0199f3a1-0000-7000-8000-000000000002"
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/messages"), ("POST", "/join")):
        told = (await theirs[1].call(method, f"/api/channels/{channel}{path}")).json()["error"]
        unknown = (await theirs[1].call(method, f"/api/channels/{nowhere}{path}")).json()["error"]
        assert told["code"] == "channel_not_found"
        assert {**told, "requestId": ""} == {**unknown, "requestId": ""}


async def test_another_apps_users_do_not_exist(
    ours: tuple[Tenant, Caller, str], theirs: tuple[Tenant, Caller]
) -> None:
    server, eve = theirs
    assert (await eve.call("GET", "/api/users/ann")).status_code == 404
    assert (await server.server("GET", "/api/users/ann")).status_code == 404
    assert (await server.server("POST", "/api/auth/tokens", {"userId": "ann"})).status_code == 404
    assert (await eve.call("POST", "/api/channels", {"memberIds": ["ann"]})).status_code == 422
    assert [user["id"] for user in (await server.server("GET", "/api/users")).json()["users"]] == ["eve"]
    assert (await server.server("GET", "/api/channels")).json()["channels"] == []
    assert (await server.server("GET", "/api/channels?userId=ann")).json()["channels"] == []


async def test_a_key_is_revoked_only_in_its_own_app(
    chat: Chat, ours: tuple[Tenant, Caller, str], theirs: tuple[Tenant, Caller]
) -> None:
    listed = (await chat.call("GET", f"/admin/apps/{ours[0].id}/keys", headers=ADMIN)).json()["keys"]
    path = f"/admin/apps/{theirs[0].id}/keys/{listed[0]['id']}"
    assert (await chat.call("DELETE", path, headers=ADMIN)).status_code == 404


async def test_unknown_routes_and_malformed_bodies_have_the_one_error_shape(
    ours: tuple[Tenant, Caller, str],
) -> None:
    for response, status, code in (
        (await ours[1].call("GET", "/api/nothing"), 404, "not_found"),
        (await ours[1].call("PUT", "/api/channels"), 405, "method_not_allowed"),
        (await ours[1].call("POST", "/api/channels", b"{"), 400, "malformed_json"),
        (await ours[1].call("POST", "/api/channels", b"x" * 300_000), 413, "payload_too_large"),
    ):
        assert (response.status_code, error_code(response)) == (status, code)
        assert response.json()["error"]["requestId"]
