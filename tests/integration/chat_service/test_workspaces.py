"""Workspaces on a real database: rights, versions, and what happens to their channels."""

import asyncio

import pytest

from chat_service.channels.sweep import Sweep
from tests.integration.chat_service.calling import Tenant, error_code, problems
from tests.integration.chat_service.workspace_calls import a_workspace, add, history, invited


async def sweep(tenant: Tenant) -> None:
    """Do all that is left to be done."""
    sweeper = Sweep(tenant.chat.resources.pool, epoch=1, wake_relay=lambda: None)
    while await sweeper.step():
        pass


async def test_a_workspace_is_made_with_its_owner_and_its_events(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    made = await a_workspace(ann, type="project", config={"a": 1}, expiresAt="2030-01-01T00:00:00Z")
    assert {name: made[name] for name in ("name", "type", "config", "memberCount", "version", "role")} == {
        "name": "W",
        "type": "project",
        "config": {"a": 1},
        "memberCount": 1,
        "version": 2,
        "role": "owner",
    }
    assert made["expiresAt"] == "2030-01-01T00:00:00.000Z"
    assert await history(tenant, made["id"]) == [
        ("workspace.created", "1"),
        ("workspace.member_joined", "2"),
    ]
    assert (await ann.call("GET", f"/api/workspaces/{made['id']}")).json() == made


async def test_a_server_makes_a_workspace_in_a_users_name(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    made = await tenant.server("POST", "/api/workspaces", {"name": "W", "createdById": "ann"})
    assert (made.status_code, made.json()["createdBy"]) == (201, "ann")
    missing = await tenant.server("POST", "/api/workspaces", {"name": "W"})
    assert problems(missing) == {"createdById": "missing"}
    unknown = await tenant.server("POST", "/api/workspaces", {"name": "W", "createdById": "x"})
    assert problems(unknown) == {"createdById": "unknown_user"}
    assert (await bob.call("POST", "/api/workspaces", {"name": "W", "createdById": "ann"})).status_code == 403
    assert [one["id"] for one in (await ann.call("GET", "/api/workspaces")).json()["workspaces"]] == [
        made.json()["id"]
    ]


async def test_an_idempotency_key_makes_one_workspace(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    calls = [ann.call("POST", "/api/workspaces", {"name": "Once"}, idempotency_key="k") for _ in range(10)]
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_changing_a_workspace_tells_what_changed_once(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    made = await a_workspace(ann, image="https://a/b")
    await add(ann, made["id"], "bob")
    path = f"/api/workspaces/{made['id']}"
    changed = (await ann.call("PUT", path, {"name": "New", "image": None})).json()
    again = (await ann.call("PATCH", path, {"name": "New", "image": None})).json()
    assert (changed["name"], changed["image"], changed["version"]) == ("New", None, 4)
    assert again == changed
    event = (await tenant.events(f"workspaces/{made['id']}"))[-1]
    assert (event["type"], event["data"]["changed"]) == ("workspace.updated", ["image", "name"])
    refused = await bob.call("PATCH", path, {"name": "Mine"})
    assert (refused.status_code, error_code(refused)) == (403, "role_too_low")
    assert problems(await ann.call("PATCH", path, {"role": "owner"})) == {"role": "extra_forbidden"}


async def test_a_workspace_does_not_exist_for_who_is_not_in_it(tenant: Tenant) -> None:
    ann, eve = await tenant.users("ann", "eve")
    made = await a_workspace(ann)
    path = f"/api/workspaces/{made['id']}"
    for method, rest, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "x"}),
        ("DELETE", "", None),
        ("GET", "/members", None),
        ("POST", "/members", {"userIds": ["eve"], "role": "owner"}),
        ("PATCH", "/members/ann", {"role": "member"}),
        ("DELETE", "/members/ann", None),
        ("GET", "/channels", None),
        ("POST", "/invites", {"emails": ["a@b"]}),
    ):
        response = await eve.call(method, path + rest, body)
        assert (response.status_code, error_code(response)) == (404, "workspace_not_found"), rest
    assert (await eve.call("GET", "/api/workspaces")).json()["workspaces"] == []
    assert (await eve.call("GET", "/api/workspaces/x")).status_code == 404


async def test_members_come_change_and_go_under_one_version(tenant: Tenant) -> None:
    ann, bob, cid = await tenant.users("ann", "bob", "cid")
    made = await a_workspace(ann)
    path = f"/api/workspaces/{made['id']}/members"
    added = (await ann.call("POST", path, {"userIds": ["bob", "cid", "bob"]})).json()
    assert (added["addedCount"], [one["userId"] for one in added["members"]]) == (2, ["bob", "cid"])
    assert (await ann.call("POST", path, {"userIds": ["bob"]})).json()["addedCount"] == 0
    assert (await ann.call("PATCH", f"{path}/bob", {"role": "admin"})).json()["role"] == "admin"
    await ann.call("PATCH", f"{path}/bob", {"role": "admin"})
    assert (await bob.call("PATCH", f"{path}/bob", {"role": "owner"})).status_code == 403
    assert (await cid.call("DELETE", f"{path}/bob")).status_code == 403
    assert (await cid.call("DELETE", f"{path}/cid")).json()["reason"] == "left"
    last = await ann.call("DELETE", f"{path}/ann")
    assert (last.status_code, error_code(last)) == (409, "last_owner")
    assert (await tenant.server("PATCH", f"{path}/ann", {"role": "member"})).status_code == 409
    listed = (await ann.call("GET", path)).json()
    assert [(one["userId"], one["role"]) for one in listed["members"]] == [
        ("ann", "owner"),
        ("bob", "admin"),
    ]
    assert (await history(tenant, made["id"]))[2:] == [
        ("workspace.member_joined", "3"),
        ("workspace.member_joined", "4"),
        ("workspace.member_updated", "5"),
        ("workspace.member_left", "6"),
    ]
    unknown = await ann.call("POST", path, {"userIds": ["bob", "x"]})
    assert problems(unknown) == {"userIds[1]": "unknown_user"}
    assert (await ann.call("DELETE", f"{path}/cid")).status_code == 404


async def test_two_owners_leaving_at_once_leave_one(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    made = await a_workspace(ann)
    await add(ann, made["id"], "bob", role="owner")
    path = f"/api/workspaces/{made['id']}/members"
    answers = await asyncio.gather(ann.call("DELETE", f"{path}/ann"), bob.call("DELETE", f"{path}/bob"))
    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_workspaces_are_listed_newest_first_in_pages(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    made = [(await a_workspace(ann, name=f"w{number}"))["id"] for number in range(3)]
    await a_workspace(bob)
    first = (await ann.call("GET", "/api/workspaces?limit=2")).json()
    rest = (await ann.call("GET", f"/api/workspaces?limit=2&cursor={first['nextCursor']}")).json()
    assert [one["id"] for one in first["workspaces"] + rest["workspaces"]] == made[::-1]
    assert (first["hasMore"], rest["hasMore"], rest["nextCursor"]) == (True, False, None)
    assert len((await tenant.server("GET", "/api/workspaces")).json()["workspaces"]) == 4
    of_bob = (await tenant.server("GET", "/api/workspaces?userId=bob")).json()["workspaces"]
    assert [one["role"] for one in of_bob] == ["owner"]
    assert (await ann.call("GET", "/api/workspaces?userId=bob")).status_code == 403
    assert (await ann.call("GET", "/api/workspaces?cursor=WyJ4Il0")).status_code == 400


async def test_channels_of_a_workspace_are_for_its_members_alone(tenant: Tenant) -> None:
    ann, bob, eve = await tenant.users("ann", "bob", "eve")
    made = await a_workspace(ann)
    await add(ann, made["id"], "bob")
    channel = await ann.channel(type="team", name="General", workspaceId=made["id"])
    secret = await ann.channel(type="group", name="Secret", workspaceId=made["id"])
    assert channel["workspaceId"] == made["id"]
    path = f"/api/channels/{channel['id']}"
    for method, rest in (("GET", ""), ("GET", "/members"), ("POST", "/join"), ("GET", "/messages")):
        response = await eve.call(method, path + rest)
        assert (response.status_code, error_code(response)) == (404, "channel_not_found"), rest
    assert (await eve.call("GET", f"/api/channels/{secret['id']}")).status_code == 404
    assert (await bob.call("GET", path)).status_code == 200
    assert (await bob.call("GET", f"/api/channels/{secret['id']}")).status_code == 403
    added = await ann.call("POST", f"{path}/members", {"userIds": ["bob", "eve"]})
    assert problems(added) == {"userIds[1]": "not_in_workspace"}
    listed = (await bob.call("GET", f"/api/workspaces/{made['id']}/channels")).json()["channels"]
    assert [(one["name"], one["role"]) for one in listed] == [("General", None)]
    assert (await bob.call("POST", f"{path}/join")).status_code == 201
    assert (await ann.call("GET", f"/api/workspaces/{made['id']}")).json()["channelCount"] == 2


async def test_only_members_make_channels_in_a_workspace(tenant: Tenant) -> None:
    ann, eve = await tenant.users("ann", "eve")
    made = await a_workspace(ann)
    body = {"type": "team", "workspaceId": made["id"]}
    stranger = await eve.call("POST", "/api/channels", body)
    nowhere = await eve.call(
        "POST", "/api/channels", {**body, "workspaceId": "0199f3a1-0000-7000-8000-000000000002"}
    )
    assert problems(stranger) == problems(nowhere) == {"workspaceId": "unknown_workspace"}
    with_eve = await ann.call("POST", "/api/channels", {**body, "memberIds": ["eve"]})
    assert problems(with_eve) == {"memberIds[0]": "not_in_workspace"}
    assert (await ann.call("GET", f"/api/workspaces/{made['id']}")).json()["channelCount"] == 0


async def test_a_deleted_workspaces_channels_are_deleted_with_their_events(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    made = await a_workspace(ann)
    await add(ann, made["id"], "bob")
    channels = [await ann.channel(type="team", workspaceId=made["id"]) for _ in range(3)]
    path = f"/api/workspaces/{made['id']}"
    assert (await bob.call("DELETE", path)).status_code == 403
    gone = await ann.call("DELETE", path)
    assert (gone.status_code, gone.json()["deletedAt"] is not None) == (200, True)
    assert (await ann.call("GET", path)).status_code == 404
    assert (
        await ann.call("POST", "/api/channels", {"type": "team", "workspaceId": made["id"]})
    ).status_code == 422

    await sweep(tenant)

    for channel in channels:
        assert (await ann.call("GET", f"/api/channels/{channel['id']}")).status_code == 404
        types = [event["type"] for event in await tenant.events(f"channels/{channel['id']}")]
        assert types.count("channel.deleted") == 1
    assert (await history(tenant, made["id"]))[-1] == ("workspace.deleted", "4")


async def test_who_leaves_a_workspace_is_taken_out_of_its_channels(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    made = await a_workspace(ann)
    await add(ann, made["id"], "bob")
    inside = [await ann.channel(type="team", workspaceId=made["id"], memberIds=["bob"]) for _ in range(3)]
    outside = await ann.channel(type="group", memberIds=["bob"])
    assert (await bob.call("DELETE", f"/api/workspaces/{made['id']}/members/bob")).status_code == 200

    await sweep(tenant)

    listed = (await bob.call("GET", "/api/channels")).json()["channels"]
    assert [channel["id"] for channel in listed] == [outside["id"]]
    for channel in inside:
        left = [
            event
            for event in await tenant.events(f"channels/{channel['id']}")
            if event["type"] == "user.left"
        ]
        assert [(event["data"]["userId"], event["data"]["reason"]) for event in left] == [("bob", "removed")]
        assert (await bob.call("GET", f"/api/channels/{channel['id']}")).status_code == 404


async def test_who_comes_back_before_the_sweep_stays_in_the_channels(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    made = await a_workspace(ann)
    await add(ann, made["id"], "bob")
    channel = await ann.channel(type="team", workspaceId=made["id"], memberIds=["bob"])
    await bob.call("DELETE", f"/api/workspaces/{made['id']}/members/bob")
    await add(ann, made["id"], "bob")

    await sweep(tenant)

    assert (await bob.call("GET", f"/api/channels/{channel['id']}")).json()["role"] == "member"


async def test_joining_a_channel_while_being_put_out_of_its_workspace_leaves_nobody_behind(
    tenant: Tenant,
) -> None:
    ann, *others = await tenant.users("ann", *(f"u{number}" for number in range(6)))
    made = await a_workspace(ann)
    await add(ann, made["id"], *(other.id for other in others))
    channel = await ann.channel(type="team", workspaceId=made["id"])
    joins = [other.call("POST", f"/api/channels/{channel['id']}/join") for other in others]
    removals = [ann.call("DELETE", f"/api/workspaces/{made['id']}/members/{other.id}") for other in others]

    answers = await asyncio.gather(*(call for pair in zip(joins, removals, strict=True) for call in pair))
    await sweep(tenant)

    assert {answer.status_code for answer in answers} <= {200, 201, 404}
    members = (await ann.call("GET", f"/api/channels/{channel['id']}/members")).json()["members"]
    assert [member["userId"] for member in members] == ["ann"]


WORKSPACE_ROUTES = [
    ("GET", "", None),
    ("PATCH", "", {"name": "x"}),
    ("PUT", "", {"name": "x"}),
    ("DELETE", "", None),
    ("GET", "/members", None),
    ("POST", "/members", {"userIds": ["eve"]}),
    ("PATCH", "/members/ann", {"role": "member"}),
    ("DELETE", "/members/ann", None),
    ("GET", "/channels", None),
    ("POST", "/invites", {"emails": ["a@b"]}),
    ("DELETE", "/invites/0199f3a1-0000-7000-8000-000000000002", None),
]


@pytest.mark.parametrize(("method", "rest", "body"), WORKSPACE_ROUTES)
async def test_another_apps_workspace_does_not_exist(
    tenant: Tenant, method: str, rest: str, body: object
) -> None:
    ann = await tenant.user("ann")
    made = await a_workspace(ann)
    others = await tenant.chat.new_tenant("others")
    eve = await others.user("eve")
    path = f"/api/workspaces/{made['id']}{rest}"
    for response in (await eve.call(method, path, body), await others.server(method, path, body)):
        assert (response.status_code, error_code(response)) == (404, "workspace_not_found")
    (invite,) = await invited(ann, made["id"], emails=["a@b"])
    assert (await eve.call("GET", f"/api/workspaces/invites/{invite['token']}")).status_code == 404
    assert (await others.server("GET", "/api/workspaces")).json()["workspaces"] == []
