"""Limited keys and tokens: they do what their scopes name, and nothing else."""

import jwt
import pytest

from chat_service.auth.introspection import introspect
from tests.integration.chat_service.calling import Chat, Tenant, error_code, problems

CALLS = {
    "chat:read": ("GET", "/api/users/ann", None),
    "chat:write": ("PATCH", "/api/users/me", {"name": "Ann"}),
    "channel:create": ("POST", "/api/channels", {"type": "group"}),
}


@pytest.mark.parametrize("granted", CALLS)
async def test_a_limited_token_does_what_its_scope_names_and_nothing_else(
    tenant: Tenant, granted: str
) -> None:
    await tenant.user("ann")
    ann = await tenant.token("ann", scopes=[granted])
    for scope, call in CALLS.items():
        answer = await ann.call(*call)
        if scope == granted:
            assert answer.status_code in {200, 201}, answer.text
        else:
            assert (answer.status_code, error_code(answer)) == (403, "scope_missing")
            assert scope in answer.json()["error"]["hint"]


async def test_a_limited_key_does_what_its_scope_names_and_nothing_else(tenant: Tenant) -> None:
    importer = await tenant.limited("users:manage")
    assert (await importer.server("POST", "/api/users/ensure", {"userId": "ann"})).status_code == 201
    for method, path, body in (
        ("GET", "/api/users", None),
        ("POST", "/api/auth/tokens", {"userId": "ann"}),
        ("GET", "/api/app/keys", None),
    ):
        answer = await importer.server(method, path, body)
        assert (answer.status_code, error_code(answer)) == (403, "scope_missing")


async def test_a_credential_without_scopes_does_everything_of_its_kind(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    for call in CALLS.values():
        assert (await ann.call(*call)).status_code in {200, 201}
    assert (await ann.call("GET", "/api/app/keys")).status_code == 403


async def test_a_limited_key_mints_tokens_of_its_own_scopes_at_most(tenant: Tenant) -> None:
    await tenant.user("ann")
    broker = await tenant.limited("tokens:mint", "chat:read")
    refused = await broker.server(
        "POST", "/api/auth/tokens", {"userId": "ann", "scopes": ["chat:read", "chat:write"]}
    )
    assert (refused.status_code, error_code(refused)) == (403, "scope_missing")
    assert "chat:write" in refused.json()["error"]["hint"]
    ann = await broker.token("ann")
    assert jwt.decode(ann.token, options={"verify_signature": False})["scopes"] == ["chat:read"]
    assert (await ann.call("GET", "/api/users/me")).status_code == 200
    assert error_code(await ann.call("PATCH", "/api/users/me", {})) == "scope_missing"
    minter = await tenant.limited("tokens:mint")
    assert error_code(await minter.server("POST", "/api/auth/tokens", {"userId": "ann"})) == "scope_missing"


@pytest.mark.parametrize("scopes", [[], ["users:manage"], ["chat:rule"], "chat:read"])
async def test_a_user_is_given_scopes_of_users_only(tenant: Tenant, scopes: object) -> None:
    await tenant.user("ann")
    refused = await tenant.server("POST", "/api/auth/tokens", {"userId": "ann", "scopes": scopes})
    assert refused.status_code == 422
    assert next(iter(problems(refused))).startswith("scopes")


async def test_other_services_learn_the_scopes(chat: Chat, tenant: Tenant) -> None:
    hooks = await tenant.limited("webhooks:manage", "metrics:read")
    told = await introspect(chat.resources, {"apiKey": hooks.key})
    assert told["scopes"] == ["metrics:read", "webhooks:manage"]
    await tenant.user("ann")
    ann = await tenant.token("ann", scopes=["search:read"])
    assert (await introspect(chat.resources, {"token": ann.token}))["scopes"] == ["search:read"]
