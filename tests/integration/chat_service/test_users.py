"""Users on a real database."""

import asyncio
from urllib.parse import quote

import pytest

from tests.integration.chat_service.calling import Tenant, error_code, problems


async def test_the_first_ensure_makes_the_user_and_later_ones_find_it(tenant: Tenant) -> None:
    body = {"userId": "ann", "name": "Ann", "email": "ann@example.org", "custom": {"team": ["a", 1, None]}}
    first = await tenant.server("POST", "/api/users/ensure", body)
    assert first.status_code == 201
    made = first.json()
    assert made["created"] is True
    assert {made[name] for name in ("id", "name", "email")} == {"ann", "Ann", "ann@example.org"}
    assert made["custom"] == {"team": ["a", 1, None]}
    again = await tenant.server("POST", "/api/users/ensure", {"userId": "ann"})
    assert again.status_code == 200
    assert again.json() == {**made, "created": False}
    events = await tenant.events("users/ann")
    assert [(event["type"], event["sequence"]) for event in events] == [("user.created", "1")]
    assert "ann@example.org" not in str(events)


async def test_an_event_tells_what_others_can_see_changed(tenant: Tenant) -> None:
    await tenant.server("POST", "/api/users/ensure", {"userId": "eve", "name": "Eve", "image": "https://x/1"})
    changed = await tenant.server(
        "POST", "/api/users/ensure", {"userId": "eve", "name": "Eva", "image": None, "email": "e@example.org"}
    )
    assert changed.json()["name"] == "Eva"
    assert changed.json()["image"] is None
    await tenant.server("POST", "/api/users/ensure", {"userId": "eve", "email": "other@example.org"})
    events = [event for event in await tenant.events("users/eve") if event["appid"] == tenant.id]
    assert [(event["type"], event["sequence"]) for event in events] == [
        ("user.created", "1"),
        ("user.updated", "2"),
    ]
    assert events[1]["data"]["changed"] == ["name", "image"]
    assert "example.org" not in str(events)


async def test_concurrent_ensures_make_one_user(tenant: Tenant) -> None:
    calls = [tenant.server("POST", "/api/users/ensure", {"userId": "one", "name": "One"}) for _ in range(20)]
    statuses = [answer.status_code for answer in await asyncio.gather(*calls)]
    assert sorted(statuses) == [200] * 19 + [201]
    assert len([event for event in await tenant.events("users/one") if event["appid"] == tenant.id]) == 1


async def test_an_email_address_is_for_the_user_and_the_servers(tenant: Tenant) -> None:
    ann = await tenant.user("ann", email="ann@example.org")
    bob = await tenant.user("bob")
    assert (await ann.call("GET", "/api/users/me")).json()["email"] == "ann@example.org"
    assert (await ann.call("GET", "/api/users/ann")).json()["email"] == "ann@example.org"
    assert (await tenant.server("GET", "/api/users/ann")).json()["email"] == "ann@example.org"
    seen = (await bob.call("GET", "/api/users/ann")).json()
    assert seen["id"] == "ann"
    assert "email" not in seen


async def test_the_servers_list_users_page_by_page(tenant: Tenant) -> None:
    for number in range(5):
        await tenant.server("POST", "/api/users/ensure", {"userId": f"u{number}"})
    seen: list[str] = []
    cursor, page = "", {}
    for _ in range(3):
        page = (await tenant.server("GET", f"/api/users?limit=2{cursor}")).json()
        seen += [user["id"] for user in page["users"]]
        cursor = f"&cursor={page['nextCursor']}"
    assert seen == [f"u{number}" for number in range(5)]
    assert page["hasMore"] is False
    for bad in ("limit=0", "limit=101", "limit=x"):
        assert problems(await tenant.server("GET", f"/api/users?{bad}")).keys() == {"limit"}
    for bad in ("WzFd", "%00", "é"):
        assert (await tenant.server("GET", f"/api/users?cursor={bad}")).status_code == 400


@pytest.mark.parametrize("user_id", ["a/b", "ü ö", "a.b.c", "x" * 255, "auth0|1", "'; drop table app; --"])
async def test_any_printable_id_works_in_a_path(tenant: Tenant, user_id: str) -> None:
    await tenant.server("POST", "/api/users/ensure", {"userId": user_id})
    response = await tenant.server("GET", f"/api/users/{quote(user_id, safe='')}")
    assert response.json()["id"] == user_id


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"userId": ""}, "userId", "string_too_short"),
        ({"userId": "x" * 256}, "userId", "string_too_long"),
        ({"userId": "a\x00b"}, "userId", "invalid_text"),
        ({"userId": "a\nb"}, "userId", "invalid_text"),
        ({"userId": "me"}, "userId", "reserved"),
        ({"userId": 5}, "userId", "string_type"),
        ({"name": "x" * 256}, "name", "string_too_long"),
        ({"email": "x"}, "email", "string_too_short"),
        ({"email": "x y@z"}, "email", "string_pattern_mismatch"),
        ({"custom": {"a": "x" * 4100}}, "custom", "too_large"),
        ({"custom": {"a": [{"b": "\x00"}]}}, "custom", "invalid_text"),
        ({"custom": {"a\x00": 1}}, "custom", "invalid_text"),
        ({"custom": []}, "custom", "dict_type"),
        ({"unknown": 1}, "unknown", "extra_forbidden"),
        ({"user_id": "x"}, "user_id", "extra_forbidden"),
    ],
)
async def test_a_bad_field_is_named(tenant: Tenant, fields: dict[str, object], path: str, code: str) -> None:
    response = await tenant.server("POST", "/api/users/ensure", {"userId": "ann", **fields})
    assert response.status_code == 422, response.text
    assert problems(response) == {path: code}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"userId": "a", "name": "\\ud800"}', 422),
        (b'{"userId": "\\ud800"}', 422),
        (b'{"userId": "a", "custom": {"a": "\\udfff"}}', 422),
        (b'{"userId": "a", "custom": {"\\udfff": 1}}', 422),
        (b'{"userId": "a", "\\udfff": 1}', 422),
        (b'{"userId": "a", "a\\u0000": 1}', 422),
        (b'{"userId": "a", "custom": {"a": NaN}}', 422),
        (b'{"userId": "a", "custom": {"a": 1e999}}', 422),
        (b'{"userId": "a", "custom": {"a": 99999999999999999999}}', 422),
        (b'{"userId": "a", "custom": ' + b'{"a":' * 20 + b"1" + b"}" * 20 + b"}", 422),
        (b'{"userId": "a", "custom": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
        (b'{"userId": "a", "custom": {"a": ' + b"9" * 5000 + b"}}", 400),
        (b'{"userId": ', 400),
        (b"\xff\xfe", 400),
        (b"", 422),
        (b"[]", 422),
        (b"null", 422),
        (b'"x"', 422),
    ],
)
async def test_a_hostile_body_is_refused_and_never_an_error_of_ours(
    tenant: Tenant, body: bytes, status: int
) -> None:
    response = await tenant.server("POST", "/api/users/ensure", body)
    assert response.status_code == status, response.text
    assert response.json()["error"]["requestId"]


async def test_an_unknown_user_is_not_found(tenant: Tenant) -> None:
    for user_id in ("nobody", "%00", "x" * 300):
        response = await tenant.server("GET", f"/api/users/{user_id}")
        assert response.status_code == 404
        assert error_code(response) == "user_not_found"
