"""Tokens and keys: who is let in, and for how long."""

import time

import jwt
import pytest

from chat_service.auth.introspection import introspect
from chatsdk_runtime.encryption import Sealed
from chatsdk_runtime.errors import InvalidInput
from tests.integration.chat_service.calling import Chat, Tenant, error_code, problems, running_doors


async def test_a_minted_token_lets_its_user_in(tenant: Tenant) -> None:
    await tenant.server("POST", "/api/users/ensure", {"userId": "ann"})
    response = await tenant.server("POST", "/api/auth/tokens", {"userId": "ann", "expiresInS": 3600})
    assert response.status_code == 201
    minted = response.json()
    assert set(minted) == {"token", "expiresAt", "userId"}
    claims = jwt.decode(minted["token"], options={"verify_signature": False})
    assert set(claims) == {"sub", "app", "iat", "exp", "jti"}
    assert (claims["sub"], claims["app"]) == ("ann", tenant.id)
    assert claims["exp"] - claims["iat"] in {3600, 3601}
    me = await tenant.chat.call(
        "GET", "/api/users/me", headers={"Authorization": f"bearer {minted['token']}"}
    )
    assert me.json()["id"] == "ann"


async def test_a_token_for_an_unknown_user_names_the_way_out(tenant: Tenant) -> None:
    response = await tenant.server("POST", "/api/auth/tokens", {"userId": "nobody"})
    assert response.status_code == 404
    assert error_code(response) == "user_not_found"
    assert "/api/users/ensure" in response.json()["error"]["hint"]


@pytest.mark.parametrize("seconds", [59, 30 * 24 * 3600 + 1, "x", None])
async def test_a_token_lasts_a_minute_to_thirty_days(tenant: Tenant, seconds: object) -> None:
    response = await tenant.server("POST", "/api/auth/tokens", {"userId": "ann", "expiresInS": seconds})
    assert response.status_code == 422
    assert list(problems(response)) == ["expiresInS"]


async def test_a_forged_expired_or_foreign_token_is_refused(chat: Chat, tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    claims = jwt.decode(ann.token, options={"verify_signature": False})
    row = (
        await chat.sql("select token_secret_key_id, token_secret from app where id = $1::uuid", tenant.id)
    )[0]
    secret = chat.resources.keyring.open(
        Sealed(row["token_secret_key_id"], row["token_secret"]),
        table="app",
        column="token_secret",
        row=tenant.id,
    )
    other = await chat.new_tenant()
    head, body, signature = ann.token.split(".")
    bad = [
        jwt.encode(claims, b"another secret of thirty-two byte", algorithm="HS256"),
        jwt.encode({**claims, "exp": int(time.time()) - 1}, secret, algorithm="HS256"),
        jwt.encode({**claims, "app": other.id}, secret, algorithm="HS256"),
        jwt.encode({**claims, "app": "x"}, secret, algorithm="HS256"),
        jwt.encode({**claims, "app": 5}, secret, algorithm="HS256"),
        jwt.encode({**claims, "sub": "nobody"}, secret, algorithm="HS256"),
        jwt.encode(
            {name: value for name, value in claims.items() if name != "exp"}, secret, algorithm="HS256"
        ),
        jwt.encode({name: value for name, value in claims.items() if name != "jti"}, secret),
        jwt.encode({**claims, "jti": "x"}, secret),
        jwt.encode({**claims, "jti": "0199f3a1-0000-4000-8000-000000000002"}, secret),
        jwt.encode(claims, "", algorithm="none"),
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        "x",
        "",
        "a.b.c",
        "x" * 5000,
        tenant.key,
    ]
    # Known as a key, it still is no token.
    assert (await tenant.server("GET", "/api/users")).status_code == 200
    for token in bad:
        for _ in range(2):
            response = await chat.call("GET", "/api/users/me", headers={"Authorization": f"Bearer {token}"})
            assert response.status_code == 401, token
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert (await ann.call("GET", "/api/users/me")).status_code == 200


async def test_a_token_as_a_key_and_a_wrong_key_are_refused(chat: Chat, tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    for key in (ann.token, "chatsdk_" + "0" * 40, "", "x", "chatsdk_" + "x" * 5000):
        response = await chat.call("GET", "/api/users", headers={"X-API-Key": key})
        assert response.status_code == 401, key


async def test_a_known_token_is_judged_without_the_database(tenant: Tenant, chat_database: str) -> None:
    ann = await tenant.user("ann")
    async with running_doors(chat_database) as doors:
        verifier = doors.resources.tokens
        first = await verifier.verify_token(ann.token)
        await doors.resources.pool.close()

        assert await verifier.verify_token(ann.token) == first


async def test_other_services_learn_who_a_credential_is(chat: Chat, tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    key = await introspect(chat.resources, {"apiKey": tenant.key})
    assert key == {
        "active": True,
        "kind": "api_key",
        "appId": tenant.id,
        "keyId": key["keyId"],
        "scopes": [],
    }
    told = await introspect(chat.resources, {"token": ann.token})
    assert told == {"active": True, "kind": "user", "appId": tenant.id, "userId": "ann", "scopes": []}
    for wrong in ({"apiKey": "chatsdk_x"}, {"token": "x"}, {"apiKey": ann.token}, {"token": tenant.key}):
        assert await introspect(chat.resources, wrong) == {"active": False}
    for unclear in ({}, {"apiKey": 5}, {"apiKey": "a", "token": "b"}):
        with pytest.raises(InvalidInput):
            await introspect(chat.resources, unclear)
