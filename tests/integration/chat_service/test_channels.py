"""Channels on a real database: making, seeing, changing, deleting."""

import asyncio
from urllib.parse import quote

import pytest

from chat_service.paging import encode_cursor
from tests.integration.chat_service.calling import Caller, Tenant, error_code, problems


async def test_a_channel_is_made_with_its_members_and_its_events(tenant: Tenant) -> None:
    ann, _, _ = await tenant.users("ann", "bob", "cid")
    response = await ann.call(
        "POST",
        "/api/channels",
        {"type": "group", "name": "Plans", "memberIds": ["bob", "cid", "bob"], "custom": {"a": 1}},
    )
    assert response.status_code == 201
    made = response.json()
    assert {name: made[name] for name in ("type", "name", "createdBy", "memberCount", "cv", "custom")} == {
        "type": "group",
        "name": "Plans",
        "createdBy": "ann",
        "memberCount": 3,
        "cv": 4,
        "custom": {"a": 1},
    }
    events = await tenant.events(f"channels/{made['id']}")
    assert [(event["type"], event["sequence"]) for event in events] == [
        ("channel.created", "1"),
        ("user.joined", "2"),
        ("user.joined", "3"),
        ("user.joined", "4"),
    ]
    assert {event["actorid"] for event in events} == {"ann"}
    assert {event["channelid"] for event in events} == {made["id"]}
    assert [event["data"]["userId"] for event in events[1:]] == ["ann", "bob", "cid"]
    assert len({event["traceparent"] for event in events}) == 1
    shown = (await ann.call("GET", f"/api/channels/{made['id']}")).json()
    assert [(member["userId"], member["role"]) for member in shown["members"]] == [
        ("ann", "owner"),
        ("bob", "member"),
        ("cid", "member"),
    ]


async def test_a_server_makes_a_channel_in_a_users_name(tenant: Tenant) -> None:
    await tenant.users("ann", "bob")
    response = await tenant.server("POST", "/api/channels", {"type": "team", "createdById": "ann"})
    assert response.status_code == 201
    assert response.json()["createdBy"] == "ann"
    assert response.json()["memberCount"] == 1
    missing = await tenant.server("POST", "/api/channels", {"type": "team"})
    assert problems(missing) == {"createdById": "missing"}
    unknown = await tenant.server("POST", "/api/channels", {"type": "team", "createdById": "x"})
    assert problems(unknown) == {"createdById": "unknown_user"}


async def test_a_user_makes_channels_in_no_other_name(tenant: Tenant) -> None:
    ann, _ = await tenant.users("ann", "bob")
    assert (await ann.call("POST", "/api/channels", {"createdById": "bob"})).status_code == 403
    assert (await ann.call("POST", "/api/channels", {"createdById": "ann"})).status_code == 201


async def test_unknown_members_are_named_by_their_place(tenant: Tenant) -> None:
    ann, _ = await tenant.users("ann", "bob")
    response = await ann.call("POST", "/api/channels", {"memberIds": ["x", "bob", "y"]})
    assert response.status_code == 422
    assert problems(response) == {"memberIds[0]": "unknown_user", "memberIds[2]": "unknown_user"}
    assert "/api/users/ensure" in response.json()["error"]["hint"]
    malformed = await ann.call("POST", "/api/channels", {"memberIds": ["bob", "a\x00"], "type": "direct"})
    assert problems(malformed) == {"memberIds[1]": "invalid_text", "type": "literal_error"}
    config = await ann.call("POST", "/api/channels", {"config": {"typingEvents": False, "x": 1}})
    assert problems(config) == {"config.x": "extra_forbidden"}


async def test_five_hundred_members_fit_and_one_more_does_not(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    await tenant.chat.sql(
        "insert into app_user (app_id, id, created_at, updated_at)"
        " select $1::uuid, 'm' || n, now(), now() from generate_series(0, 500) as n",
        tenant.id,
    )
    members = [f"m{number}" for number in range(501)]
    made = await ann.channel(type="group", memberIds=members[:500])
    assert (made["memberCount"], made["cv"]) == (501, 502)
    assert len(await tenant.events(f"channels/{made['id']}")) == 502
    assert len((await ann.call("GET", f"/api/channels/{made['id']}")).json()["members"]) == 100
    too_many = await ann.call("POST", "/api/channels", {"memberIds": members})
    assert problems(too_many) == {"memberIds": "too_long"}


async def test_two_users_share_one_direct_channel(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    calls = [
        who.call("POST", "/api/channels", {"memberIds": [other]})
        for who, other in [(ann, "bob"), (bob, "ann")] * 10
    ]
    answers = await asyncio.gather(*calls)
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    channel_id = answers[0].json()["id"]
    assert len(await tenant.events(f"channels/{channel_id}")) == 3
    named = await ann.channel(memberIds=["bob"], name="Ours")
    assert named["id"] != channel_id
    group = await ann.channel(memberIds=["bob"], type="group")
    assert group["id"] != channel_id
    alone = [await ann.channel(), await ann.channel()]
    assert alone[0]["id"] != alone[1]["id"]


async def test_after_a_direct_channel_is_deleted_a_new_one_is_made(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    first = await ann.channel(memberIds=["bob"])
    assert (await bob.call("DELETE", f"/api/channels/{first['id']}")).status_code == 403
    assert (await ann.call("DELETE", f"/api/channels/{first['id']}")).status_code == 200
    second = await bob.channel(memberIds=["ann"])
    assert second["id"] != first["id"]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("messaging", 403, "not_a_member"),
        ("group", 403, "not_a_member"),
        ("private", 404, "channel_not_found"),
        ("public", 200, None),
        ("team", 200, None),
        ("livestream", 200, None),
    ],
)
async def test_who_is_not_in_a_channel_sees_it_by_its_type(
    tenant: Tenant, kind: str, status: int, code: str | None
) -> None:
    ann, eve = await tenant.users("ann", "eve")
    made = await ann.channel(type=kind, name="A channel")
    for path in ("", "/members"):
        response = await eve.call("GET", f"/api/channels/{made['id']}{path}")
        assert response.status_code == status
        if code is not None:
            assert error_code(response) == code
        assert (await ann.call("GET", f"/api/channels/{made['id']}{path}")).status_code == 200
        assert (await tenant.server("GET", f"/api/channels/{made['id']}{path}")).status_code == 200


async def test_a_public_channel_set_private_is_hidden(tenant: Tenant) -> None:
    ann, eve = await tenant.users("ann", "eve")
    made = await ann.channel(type="public", config={"private": True})
    assert (await eve.call("GET", f"/api/channels/{made['id']}")).status_code == 404
    assert (await eve.call("POST", f"/api/channels/{made['id']}/join")).status_code == 404


async def test_changing_a_channel_tells_what_changed(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    made = await ann.channel(type="group", name="Old", memberIds=["bob"], description="d")
    path = f"/api/channels/{made['id']}"
    change = {"name": "New", "description": None, "frozen": True, "config": {"reactions": False}}
    changed = (await ann.call("PATCH", path, change)).json()
    assert (changed["name"], changed["description"], changed["frozen"]) == ("New", None, True)
    assert changed["config"] == {**made["config"], "reactions": False}
    assert changed["cv"] == made["cv"] + 1
    again = (await ann.call("PATCH", path, change)).json()
    assert again == changed
    event = (await tenant.events(f"channels/{made['id']}"))[-1]
    assert (event["type"], event["sequence"]) == ("channel.updated", str(changed["cv"]))
    assert event["data"]["changed"] == ["config", "description", "frozen", "name"]
    assert (await bob.call("PATCH", path, {"name": "Mine"})).status_code == 403
    assert (await tenant.server("PATCH", path, {"name": "By the server"})).status_code == 200
    assert problems(await ann.call("PATCH", path, {"type": "group"})) == {"type": "extra_forbidden"}


async def test_a_deleted_channel_is_found_nowhere(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    made = await ann.channel(type="public", memberIds=["bob"])
    path = f"/api/channels/{made['id']}"
    assert (await bob.call("DELETE", path)).status_code == 403
    gone = await ann.call("DELETE", path)
    assert gone.status_code == 200
    assert gone.json()["deletedAt"] is not None
    event = (await tenant.events(f"channels/{made['id']}"))[-1]
    assert (event["type"], event["sequence"]) == ("channel.deleted", str(made["cv"] + 1))
    for method, rest, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "x"}),
        ("DELETE", "", None),
        ("GET", "/members", None),
        ("POST", "/members", {"userId": "bob"}),
        ("PATCH", "/members/bob", {"role": "admin"}),
        ("DELETE", "/members/bob", None),
    ):
        assert (await ann.call(method, path + rest, body)).status_code == 404, (method, rest)
    for rest in ("/join", "/leave"):
        assert (await ann.call("POST", path + rest)).status_code == 404
    assert (await ann.call("GET", "/api/channels")).json()["channels"] == []


async def test_channels_are_listed_newest_activity_first(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    made = [(await ann.channel(type="group", name=f"c{number}"))["id"] for number in range(5)]
    await bob.channel(type="group", name="of bob")
    await tenant.chat.sql(
        "update channel set last_message_at = now() + interval '1 hour' where id = $1::uuid", made[1]
    )
    seen: list[str] = []
    cursor, page = "", {}
    for _ in range(3):
        page = (await ann.call("GET", f"/api/channels?limit=2{cursor}")).json()
        seen += [channel["id"] for channel in page["channels"]]
        cursor = f"&cursor={page['nextCursor']}"
    assert seen == [made[1], made[4], made[3], made[2], made[0]]
    assert page["hasMore"] is False
    everything = (await tenant.server("GET", "/api/channels")).json()["channels"]
    assert len(everything) == 6
    of_bob = (await tenant.server("GET", "/api/channels?userId=bob")).json()["channels"]
    assert [channel["name"] for channel in of_bob] == ["of bob"]
    assert (await ann.call("GET", "/api/channels?userId=bob")).status_code == 403
    assert (await tenant.server("GET", "/api/channels?userId=%00")).status_code == 422
    for bad in (
        "x",
        "WyJ4IiwieSJd",
        "WyIyMDI2LTAxLTAxIiwiMDE5OWYzYTEtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAyIl0",
    ):
        assert (await ann.call("GET", f"/api/channels?cursor={bad}")).status_code == 400


async def test_concurrent_changes_leave_no_hole_in_the_channels_versions(tenant: Tenant) -> None:
    ann, *others = await tenant.users("ann", *(f"u{number}" for number in range(10)))
    made = await ann.channel(type="public")
    path = f"/api/channels/{made['id']}"
    joins = [other.call("POST", f"{path}/join") for other in others]
    renames = [ann.call("PATCH", path, {"name": f"n{number}"}) for number in range(10)]
    answers = await asyncio.gather(*joins, *renames)
    assert {answer.status_code for answer in answers} <= {200, 201}
    events = await tenant.events(f"channels/{made['id']}")
    assert [event["sequence"] for event in events] == [str(cv) for cv in range(1, len(events) + 1)]
    now = (await ann.call("GET", path)).json()
    assert (now["cv"], now["memberCount"]) == (len(events), 11)


async def test_an_idempotency_key_makes_one_channel(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    body = {"type": "group", "name": "Once"}
    calls = [ann.call("POST", "/api/channels", body, idempotency_key="k") for _ in range(10)]
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len((await ann.call("GET", "/api/channels")).json()["channels"]) == 1
    bob: Caller = await tenant.user("bob")
    assert (await bob.call("POST", "/api/channels", body, idempotency_key="k")).json()["createdBy"] == "bob"


async def test_every_change_wakes_the_relay_after_its_commit(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    before = len(tenant.chat.wakes)
    await ann.channel(type="group")
    assert len(tenant.chat.wakes) == before + 1


async def test_times_that_leave_the_calendar_in_utc_are_refused_everywhere(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    room = f"/api/channels/{(await ann.channel(type='group', name='room'))['id']}"
    sent = (await ann.call("POST", f"{room}/messages", {"text": "a"})).json()["id"]
    early, late = "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"
    options = [{"text": "a"}, {"text": "b"}]

    for path in (
        f"/api/search?q=ab&cursor={encode_cursor(early, sent, '1', '1')}",
        f"/api/users/me/saved?cursor={encode_cursor(early, sent)}",
        f"{room}/messages/{sent}/reactions?cursor={encode_cursor('x', late, 'ann')}",
        f"/api/channels?cursor={encode_cursor('lastMessageAt', late, sent)}",
    ):
        answer = await ann.call("GET", path)
        assert (answer.status_code, error_code(answer)) == (400, "bad_request"), path
    since = await ann.call("GET", f"/api/search?q=ab&from={quote(early)}")
    until = await ann.call("GET", f"/api/search?q=ab&to={quote(late)}")
    poll = await ann.call(
        "POST", f"{room}/messages/{sent}/polls", {"question": "?", "options": options, "endsAt": late}
    )
    assert [problems(one) for one in (since, until, poll)] == [
        {"from": "invalid_time"},
        {"to": "invalid_time"},
        {"endsAt": "invalid_time"},
    ]
