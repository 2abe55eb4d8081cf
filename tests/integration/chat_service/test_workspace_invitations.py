"""Invitations to workspaces: who may send them, whom they let in, and when they open nothing any more."""

import asyncio
from typing import Any

from tests.integration.chat_service.calling import Caller, Tenant, error_code, problems
from tests.integration.chat_service.workspace_calls import a_workspace, add, history, invited


async def test_an_invitation_is_shown_without_effect_and_accepted_once(tenant: Tenant) -> None:
    ann, bob, eve = await tenant.users("ann", "bob", "eve")
    made = await a_workspace(ann)
    (invite,) = await invited(ann, made["id"], emails=["bob@example.org"], message="come")
    path = f"/api/workspaces/invites/{invite['token']}"
    for _ in range(2):
        shown = (await bob.call("GET", path)).json()
        assert (shown["status"], shown["workspaceName"], shown["message"]) == ("pending", "W", "come")
        assert "email" not in shown
    assert (await bob.call("GET", f"/api/workspaces/{made['id']}")).status_code == 404

    answers = await asyncio.gather(*(bob.call("POST", f"{path}/accept") for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
    late = await eve.call("POST", f"{path}/accept")
    assert (late.status_code, error_code(late)) == (409, "invite_closed")
    assert (await bob.call("GET", path)).json()["status"] == "accepted"
    assert (await bob.call("GET", f"/api/workspaces/{made['id']}")).json()["role"] == "member"
    assert (await history(tenant, made["id"]))[2:] == [
        ("workspace.invited", "3"),
        ("workspace.member_joined", "4"),
    ]


async def test_neither_the_address_nor_the_token_is_in_an_event_or_stored_in_clear(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    made = await a_workspace(ann)
    (invite,) = await invited(ann, made["id"], emails=["secret@example.org"])
    for event in await tenant.events(f"workspaces/{made['id']}"):
        assert "secret@example.org" not in str(event)
        assert invite["token"] not in str(event)
    (row,) = await tenant.chat.sql("select * from workspace_invite where workspace_id = $1::uuid", made["id"])
    assert invite["token"] not in str(dict(row))


async def test_a_users_invitation_is_not_found_by_another(tenant: Tenant) -> None:
    ann, bob, eve = await tenant.users("ann", "bob", "eve")
    made = await a_workspace(ann)
    (invite,) = await invited(ann, made["id"], userIds=["bob"], role="admin")
    path = f"/api/workspaces/invites/{invite['token']}"
    for response in (await eve.call("GET", path), await eve.call("POST", f"{path}/accept")):
        assert (response.status_code, error_code(response)) == (404, "invite_not_found")
    assert (await tenant.server("POST", f"{path}/accept")).status_code == 403
    assert (await bob.call("POST", f"{path}/accept")).json()["role"] == "admin"


async def test_old_and_withdrawn_invitations_open_nothing(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    made = await a_workspace(ann)
    withdrawn, old = await invited(ann, made["id"], emails=["a@b", "c@d"])
    path = f"/api/workspaces/{made['id']}/invites/{withdrawn['id']}"
    assert (await bob.call("DELETE", path)).status_code == 404
    assert (await ann.call("DELETE", path)).json()["id"] == withdrawn["id"]
    assert (await ann.call("DELETE", path)).status_code == 200
    await tenant.chat.sql(
        "update workspace_invite set expires_at = now() where id = $1::uuid returning id", old["id"]
    )
    for invite in (withdrawn, old):
        refused = await bob.call("POST", f"/api/workspaces/invites/{invite['token']}/accept")
        assert (refused.status_code, error_code(refused)) == (409, "invite_closed")
    assert (await bob.call("GET", "/api/workspaces/invites/inv_x")).status_code == 404


async def test_nobody_comes_back_or_rises_by_an_invitation_of_their_own(tenant: Tenant) -> None:
    ann, bob, eve = await tenant.users("ann", "bob", "eve")
    made = (await ann.call("POST", "/api/workspaces", {"name": "team"})).json()
    path = f"/api/workspaces/{made['id']}"
    await ann.call("POST", f"{path}/members", {"userIds": ["bob"], "role": "owner"})
    [as_owner] = await invited(bob, made["id"], emails=["bob@example.org"], role="owner")
    [as_member] = await invited(bob, made["id"], emails=["eve@example.org"])
    [by_ann] = await invited(ann, made["id"], emails=["late@example.org"], role="owner")

    async def accept(who: Caller, invite: dict[str, Any]) -> int:
        return (await who.call("POST", f"/api/workspaces/invites/{invite['token']}/accept")).status_code

    await tenant.server("PATCH", f"{path}/members/bob", {"role": "admin"})
    assert await accept(eve, as_owner) == 409, "bob may give no such role any more"
    assert await accept(eve, as_member) == 201
    [again] = await invited(bob, made["id"], emails=["bob@example.org"])
    await ann.call("DELETE", f"{path}/members/bob")
    assert await accept(bob, again) == 409, "whoever is put out stays out"
    assert await accept(bob, by_ann) == 201


async def test_an_admin_invites_no_admins_and_a_member_nobody(tenant: Tenant) -> None:
    ann, bob, cid = await tenant.users("ann", "bob", "cid")
    made = await a_workspace(ann)
    await add(ann, made["id"], "bob", role="admin")
    await add(ann, made["id"], "cid")
    path = f"/api/workspaces/{made['id']}/invites"
    assert (await bob.call("POST", path, {"emails": ["a@b"], "role": "admin"})).status_code == 403
    assert (await bob.call("POST", path, {"emails": ["a@b"]})).status_code == 201
    assert (await cid.call("POST", path, {"emails": ["a@b"]})).status_code == 403
    assert problems(await ann.call("POST", path, {"userIds": ["x"]})) == {"userIds[0]": "unknown_user"}
    assert (await ann.call("POST", path, {"emails": ["a@b"], "userIds": ["bob"]})).status_code == 422
    assert (await ann.call("POST", path, {})).status_code == 422
