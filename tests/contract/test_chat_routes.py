"""The chat routes of the pinned contract: who may call each, and that no app sees another's."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.chat_service.calling import ADMIN, Caller, Chat, Tenant, error_code, running_doors

SERVER_ROUTES = [
    ("POST", "/api/users/ensure", {"userId": "x"}),
    ("GET", "/api/users", None),
    ("POST", "/api/auth/tokens", {"userId": "ann"}),
]
USER_ROUTES = [
    ("GET", "/api/users/me", None),
    ("POST", "/api/channels/{channel}/join", None),
    ("POST", "/api/channels/{channel}/leave", None),
]
CHANNEL_ROUTES = [
    ("GET", "/api/channels/{channel}", None),
    ("PATCH", "/api/channels/{channel}", {"name": "x"}),
    ("DELETE", "/api/channels/{channel}", None),
    ("GET", "/api/channels/{channel}/members", None),
    ("POST", "/api/channels/{channel}/members", {"userId": "eve"}),
    ("PATCH", "/api/channels/{channel}/members/ann", {"role": "member"}),
    ("DELETE", "/api/channels/{channel}/members/ann", None),
    ("GET", "/api/channels/{channel}/search?q=x", None),
    (
        "POST",
        "/api/channels/{channel}/messages/{channel}/polls",
        {"question": "x", "options": [{"text": "a"}, {"text": "b"}]},
    ),
]
EITHER_ROUTES = [
    ("POST", "/api/channels", {"type": "group"}),
    ("GET", "/api/channels", None),
    ("GET", "/api/users/ann", None),
    ("GET", "/api/search?q=x", None),
    ("GET", "/api/search/suggestions?q=x", None),
    ("GET", "/api/polls/{channel}", None),
    ("GET", "/api/polls/{channel}/results", None),
    ("POST", "/api/polls/{channel}/vote", {"optionIds": ["1"]}),
    ("DELETE", "/api/polls/{channel}/vote", None),
    ("POST", "/api/polls/{channel}/close", None),
    ("POST", "/api/channels/{channel}/polls", {"question": "x", "options": [{"text": "a"}, {"text": "b"}]}),
    *CHANNEL_ROUTES,
]
ADMIN_ROUTES = [
    ("POST", "/admin/apps", {"name": "x"}),
    ("GET", "/admin/apps", None),
    ("POST", "/admin/apps/{app}/keys", {}),
    ("GET", "/admin/apps/{app}/keys", None),
    ("DELETE", "/admin/apps/{app}/keys/{app}", None),
]


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


@pytest.mark.parametrize(
    ("method", "path", "body"), [*SERVER_ROUTES, *USER_ROUTES, *EITHER_ROUTES, *ADMIN_ROUTES]
)
async def test_nobody_is_let_in_without_a_credential(
    chat: Chat, ours: tuple[Tenant, Caller, str], method: str, path: str, body: object
) -> None:
    filled = path.format(channel=ours[2], app=ours[0].id)
    for headers in ({}, {"Authorization": "Bearer x"}, {"X-API-Key": "x"}):
        response = await chat.call(method, filled, body, headers=headers)
        assert response.status_code == 401, response.text
        error = response.json()["error"]
        assert error["requestId"] == response.headers["X-Request-Id"]


@pytest.mark.parametrize(("method", "path", "body"), SERVER_ROUTES)
async def test_a_user_token_on_a_servers_route_is_refused_with_a_hint(
    ours: tuple[Tenant, Caller, str], method: str, path: str, body: object
) -> None:
    response = await ours[1].call(method, path, body)
    assert response.status_code == 403
    assert "X-API-Key" in response.json()["error"]["hint"]


@pytest.mark.parametrize(("method", "path", "body"), USER_ROUTES)
async def test_an_api_key_on_a_users_route_is_refused_with_a_hint(
    ours: tuple[Tenant, Caller, str], method: str, path: str, body: object
) -> None:
    response = await ours[0].server(method, path.format(channel=ours[2]), body)
    assert response.status_code == 403
    assert "/api/auth/tokens" in response.json()["error"]["hint"]


@pytest.mark.parametrize(("method", "path", "body"), ADMIN_ROUTES)
async def test_an_apps_credentials_open_no_admin_route(
    ours: tuple[Tenant, Caller, str], method: str, path: str, body: object
) -> None:
    filled = path.format(app=ours[0].id)
    assert (await ours[0].server(method, filled, body)).status_code == 401
    assert (await ours[1].call(method, filled, body)).status_code == 401


@pytest.mark.parametrize(("method", "path", "body"), [*CHANNEL_ROUTES, *USER_ROUTES[1:]])
async def test_another_apps_channel_does_not_exist(
    ours: tuple[Tenant, Caller, str],
    theirs: tuple[Tenant, Caller],
    method: str,
    path: str,
    body: object,
) -> None:
    filled = path.format(channel=ours[2])
    answers = [await theirs[1].call(method, filled, body)]
    if (method, path, body) in CHANNEL_ROUTES:
        answers.append(await theirs[0].server(method, filled, body))
    for response in answers:
        assert response.status_code == 404, response.text
        assert error_code(response) == "channel_not_found"
    unknown = await theirs[1].call(method, path.format(channel="0199f3a1-0000-7000-8000-000000000002"), body)
    told, told_unknown = answers[0].json()["error"], unknown.json()["error"]
    assert {**told, "requestId": ""} == {**told_unknown, "requestId": ""}


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
