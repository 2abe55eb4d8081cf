"""Apps and keys on a real database."""

import re

from tests.integration.chat_service.calling import ADMIN, Chat, error_code, problems, running_doors


async def test_an_app_comes_with_a_key_that_works_and_is_not_stored(chat: Chat) -> None:
    response = await chat.call("POST", "/admin/apps", {"name": "Acme"}, headers=ADMIN)
    assert response.status_code == 201
    made = response.json()
    assert set(made) == {"id", "name", "apiKey", "createdAt"}
    assert re.fullmatch(r"chatsdk_[0-9a-f]{40}", made["apiKey"])
    answer = await chat.call("GET", "/api/users", headers={"X-API-Key": made["apiKey"]})
    assert answer.status_code == 200
    stored = await chat.sql("select app::text as row from app union all select api_key::text from api_key")
    assert made["apiKey"] not in str(stored)


async def test_the_admin_routes_ask_for_the_admin_token(chat: Chat) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer ü"}, {"X-API-Key": "x"}):
        for method, path in (("GET", "/admin/apps"), ("POST", "/admin/apps")):
            encoded = {name.encode(): value.encode() for name, value in headers.items()}
            response = await chat.client.request(method, path, headers=encoded)
            assert response.status_code == 401, (headers, response.text)


async def test_without_an_admin_token_administration_is_closed(chat_database: str) -> None:
    async with running_doors(chat_database, admin_token=None) as closed:
        response = await closed.call("POST", "/admin/apps", {"name": "Acme"}, headers=ADMIN)
    assert response.status_code == 503
    assert error_code(response) == "admin_closed"


async def test_bad_fields_are_named(chat: Chat) -> None:
    response = await chat.call("POST", "/admin/apps", {"name": "", "colour": 1}, headers=ADMIN)
    assert response.status_code == 422
    assert problems(response) == {"name": "string_too_short", "colour": "extra_forbidden"}


async def test_apps_are_listed_page_by_page(chat: Chat) -> None:
    made = [(await chat.new_tenant(f"listed {number}")).id for number in range(3)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await chat.call("GET", f"/admin/apps?limit=2{cursor}", headers=ADMIN)).json()
        seen += [app["id"] for app in page["apps"]]
        if not page["hasMore"]:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert page["nextCursor"] is None
    assert set(made) <= set(seen)
    assert len(seen) == len(set(seen))
    assert (await chat.call("GET", "/admin/apps?cursor=AAAA", headers=ADMIN)).status_code == 400


async def test_a_key_is_made_listed_and_revoked_at_once(chat: Chat) -> None:
    tenant = await chat.new_tenant()
    keys = f"/admin/apps/{tenant.id}/keys"
    made = (
        await chat.call(
            "POST", keys, {"name": "second", "scopes": ["users:manage", "chat:read"]}, headers=ADMIN
        )
    ).json()
    assert made["scopes"] == ["chat:read", "users:manage"]
    second = {"X-API-Key": made["apiKey"]}
    assert (await chat.call("GET", "/api/users", headers=second)).status_code == 200
    listed = (await chat.call("GET", keys, headers=ADMIN)).json()["keys"]
    assert [key["name"] for key in listed] == ["first key", "second"]
    assert all("apiKey" not in key for key in listed)
    gone = await chat.call("DELETE", f"{keys}/{made['id']}", headers=ADMIN)
    assert gone.status_code == 200
    assert gone.json()["revokedAt"] is not None
    assert (await chat.call("GET", "/api/users", headers=second)).status_code == 401
    assert (await chat.call("GET", "/api/users", headers={"X-API-Key": tenant.key})).status_code == 200


async def test_an_unknown_app_or_key_is_not_found(chat: Chat) -> None:
    nobody = "0199f3a1-0000-7000-8000-000000000002"
    other = await chat.new_tenant()
    for app_id in (nobody, "x", "%00"):
        for method, path in (("GET", "keys"), ("POST", "keys"), ("DELETE", f"keys/{nobody}")):
            body = {"name": "k"} if method == "POST" else None
            response = await chat.call(method, f"/admin/apps/{app_id}/{path}", body, headers=ADMIN)
            assert response.status_code == 404, (method, path, response.text)
    response = await chat.call("DELETE", f"/admin/apps/{other.id}/keys/x", headers=ADMIN)
    assert response.status_code == 404


async def test_making_an_app_twice_with_one_idempotency_key_makes_one(chat: Chat) -> None:
    headers = {**ADMIN, "Idempotency-Key": "make-acme"}
    first = await chat.call("POST", "/admin/apps", {"name": "Acme"}, headers=headers)
    again = await chat.call("POST", "/admin/apps", {"name": "Acme"}, headers=headers)
    assert again.json() == first.json()
    assert again.status_code == 201
    assert again.headers["Idempotent-Replayed"] == "true"
    other = await chat.call("POST", "/admin/apps", {"name": "Other"}, headers=headers)
    assert other.status_code == 422
    assert error_code(other) == "idempotency_mismatch"
