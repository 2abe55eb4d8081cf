"""Finding users: by the beginning of id or name, and only whom the app lets one find."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.users.directory_store import Place, place_of
from chatsdk_contracts.ids import UserId
from tests.integration.chat_service.calling import Caller, Chat, Tenant


async def found(caller: Tenant | Caller, query: str = "") -> list[str]:
    """The ids of all pages, two to a page."""
    call = caller.server if isinstance(caller, Tenant) else caller.call
    ids: list[str] = []
    cursor = ""
    while True:
        answer = await call("GET", f"/api/users?limit=2{query}{cursor}")
        assert answer.status_code == 200, answer.text
        page = answer.json()
        ids += [user["id"] for user in page["users"]]
        if not page["hasMore"]:
            assert page["nextCursor"] is None
            return ids
        cursor = f"&cursor={page['nextCursor']}"


async def choose(tenant: Tenant, directory: str) -> None:
    await tenant.server("PATCH", "/api/app/settings", {"userDirectory": directory})


@pytest.fixture
async def named(tenant: Tenant) -> Tenant:
    users = [
        ("anna", "Zoe"),
        ("Anton", None),
        ("bea", "ANNE"),
        ("carl", "Anna"),
        ("ann%", "_x"),
        ("dan", "anna"),
    ]
    body = {"users": [{"userId": user_id, "name": name} for user_id, name in users]}
    assert (await tenant.server("POST", "/api/users/bulk-ensure", body)).status_code == 200
    return tenant


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", ["ann%", "anna", "Anton", "bea", "carl", "dan"]),
        ("&q=", ["ann%", "anna", "Anton", "bea", "carl", "dan"]),
        ("&q=an", ["ann%", "anna", "Anton", "carl", "dan", "bea"]),
        ("&q=ANN", ["ann%", "anna", "carl", "dan", "bea"]),
        ("&q=zoe", ["anna"]),
        ("&q=ann%25", ["ann%"]),
        ("&q=_", ["ann%"]),
        ("&q=oe", []),
        ("&q=%27%3B--", []),
    ],
)
async def test_ids_come_before_names_whatever_the_case(named: Tenant, query: str, ids: list[str]) -> None:
    assert await found(named, query) == ids


async def test_what_is_looked_for_is_text(named: Tenant) -> None:
    for query in ("q=%00", "q=a%0Ab", f"q={'x' * 256}", "limit=0"):
        assert (await named.server("GET", f"/api/users?{query}")).status_code == 422
    for cursor in ("WyI5IiwiYSIsImEiXQ", "WyIwIl0", "x"):
        assert (await named.server("GET", f"/api/users?cursor={cursor}")).status_code == 400


@pytest.mark.parametrize("near", ["few", "many"])
async def test_a_user_finds_by_default_those_with_whom_they_share_a_channel(
    chat: Chat, named: Tenant, near: str
) -> None:
    ann, carl = await named.token("anna"), await named.token("carl")
    assert await found(ann) == []
    await ann.channel(type="group", name="room", memberIds=["carl", "bea"])
    if near == "many":
        await chat.sql("update channel set member_count = 100000 where app_id = $1::uuid", named.id)
    assert await found(ann) == ["bea", "carl"]
    assert await found(ann, "&q=ann") == ["carl", "bea"]
    assert await found(carl) == ["anna", "bea"]
    assert len(await found(named)) == 6


async def test_a_deleted_channel_is_not_shared_any_more(named: Tenant) -> None:
    ann = await named.token("anna")
    made = await ann.channel(type="group", name="room", memberIds=["carl"])
    assert await found(ann) == ["carl"]
    await ann.call("DELETE", f"/api/channels/{made['id']}")
    assert await found(ann) == []


async def test_the_app_chooses_whom_its_users_find(named: Tenant) -> None:
    ann = await named.token("anna")
    await choose(named, "all")
    assert await found(ann, "&q=an") == ["ann%", "Anton", "carl", "dan", "bea"]
    await choose(named, "off")
    await ann.channel(type="group", name="room", memberIds=["carl"])
    assert await found(ann) == []
    assert (await ann.call("GET", "/api/users/carl")).json()["name"] == "Anna"
    assert len(await found(named)) == 6


async def test_users_find_no_addresses_and_no_deactivated_ones(named: Tenant) -> None:
    await named.server("PATCH", "/api/users/carl", {"email": "carl@example.org"})
    await named.server("DELETE", "/api/users/dan")
    await choose(named, "all")
    ann = await named.token("anna")
    seen = await ann.call("GET", "/api/users?q=anna")
    assert [user["id"] for user in seen.json()["users"]] == ["carl"]
    assert "example.org" not in seen.text
    assert "carl@example.org" in (await named.server("GET", "/api/users?q=anna")).text
    assert "dan" in await found(named, "&q=anna")


async def test_another_apps_users_are_not_found(chat: Chat, named: Tenant) -> None:
    other = await chat.new_tenant()
    await choose(other, "all")
    eve = await other.user("eve")
    assert await found(other) == ["eve"]
    assert await found(eve) == []
    assert await found(eve, "&q=an") == []


@given(st.text(), st.text(), st.sampled_from(["0", "1"]))
def test_a_cursors_place_is_read_as_it_was_written(key: str, user_id: str, rank: str) -> None:
    assert place_of([rank, key, user_id]) == Place(int(rank), key, UserId(user_id))


@pytest.mark.parametrize("rank", ["2", "", "-1", "x", "00"])
def test_a_place_of_another_kind_is_none(rank: str) -> None:
    assert place_of([rank, "a", "a"]) is None
