"""Bans: who may ban whom, for how long, what is refused then, and what is told of it."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from chat_service.events.log import Cause
from chat_service.moderation import banning
from chat_service.moderation.ban_store import Scope, Terms
from chat_service.moderation.expiry import end_due
from chatsdk_contracts.ids import AppId, ChannelId, UserId
from chatsdk_runtime.postgres import transaction
from tests.integration.chat_service.calling import Tenant, error_code, problems, waiting_for_locks
from tests.integration.chat_service.moderation.floor import Floor, by_http, by_operation
from tests.integration.chat_service.uploading import File, upload
from tests.waiting import wait_for

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OPTIONS = [{"text": "yes"}, {"text": "no"}]


async def test_a_ban_is_told_listed_put_on_other_terms_and_lifted_once(floor: Floor) -> None:
    first = await floor.ban(None, durationS=60, reason="spam")
    second = await floor.ban(None, shadow=True)
    local = await floor.ban(floor.bob, durationS=60)
    assert (first["reason"], first["shadow"], first["channelId"], first["bannedBy"]) == (
        "spam",
        False,
        None,
        None,
    )
    assert (second["reason"], second["shadow"], second["expiresAt"]) == (None, True, None)
    assert (local["channelId"], local["bannedBy"]) == (floor.id, "bob")

    # Of two that hold, the one that refuses.
    assert error_code(await floor.send(floor.eve)) == "banned"
    listed = (await floor.tenant.server("GET", "/api/moderation/bans?limit=1")).json()
    assert (listed["bans"], listed["hasMore"]) == ([local], True)
    rest = await floor.tenant.server("GET", f"/api/moderation/bans?cursor={listed['nextCursor']}")
    assert rest.json()["bans"] == [second]
    assert (await floor.bob.call("GET", f"{floor.path}/bans")).json()["bans"] == [local]

    lifted = await floor.tenant.server("DELETE", "/api/moderation/bans/eve")
    assert lifted.json() == {**second, "liftedAt": lifted.json()["liftedAt"]}
    again = await floor.tenant.server("DELETE", "/api/moderation/bans/eve")
    assert (again.status_code, error_code(again)) == (404, "ban_not_found")
    assert (await floor.ann.call("DELETE", f"{floor.path}/bans/eve")).status_code == 200
    assert (await floor.send(floor.eve)).status_code == 201
    there = await floor.ban(None, channelId=floor.id)
    of_channel = f"channelId={floor.id}"
    seen = await floor.tenant.server("GET", f"/api/moderation/bans?{of_channel}&userId=eve")
    assert seen.json()["bans"] == [there]
    assert (await floor.tenant.server("DELETE", f"/api/moderation/bans/eve?{of_channel}")).status_code == 200

    events = await floor.bans_told()
    assert [(one["type"], one["data"]["channelId"], one["data"]["shadow"]) for one in events] == [
        ("user.banned", None, False),
        ("user.banned", None, True),
        ("user.banned", floor.id, False),
        ("user.unbanned", None, True),
        ("user.unbanned", floor.id, False),
        ("user.banned", floor.id, False),
        ("user.unbanned", floor.id, False),
    ]
    assert [int(one["sequence"]) for one in events] == list(range(2, 9))


async def test_a_ban_runs_out_by_the_databases_clock_and_is_told_of_once(floor: Floor) -> None:
    await floor.ban(floor.bob, durationS=60)
    pool = floor.tenant.chat.resources.pool
    while await end_due(pool, 1, NOW):
        pass
    assert error_code(await floor.send(floor.eve)) == "banned"
    await floor.let_bans_run_out()
    assert (await floor.send(floor.eve)).status_code == 201
    assert (await floor.bob.call("GET", f"{floor.path}/bans")).json()["bans"] == []
    assert error_code(await floor.bob.call("DELETE", f"{floor.path}/bans/eve")) == "ban_not_found"

    assert [await end_due(pool, 1, NOW) for _ in range(2)] == [1, 0]
    _, last = await floor.bans_told()
    assert (last["type"], last["data"]["channelId"]) == ("user.unbanned", floor.id)
    assert last.get("actorid") is None
    [entry] = (await floor.tenant.server("GET", "/api/audit?action=user.unbanned")).json()["entries"]
    assert (entry["actorKind"], entry["targetId"], entry["channelId"]) == ("system", "eve", floor.id)


@dataclass
class Banned:
    """eve, an admin here and in a workspace, banned from the app, with what she had said, chosen and been asked."""

    floor: Floor
    said: dict[str, Any]
    poll: dict[str, Any]
    open_one: dict[str, Any]
    workspace: str


async def banned(floor: Floor) -> Banned:
    said = await floor.sent(floor.eve)
    poll = (await floor.dan.call("POST", f"{floor.path}/polls", {"question": "?", "options": OPTIONS})).json()
    await floor.eve.call("POST", f"{floor.path}/messages/{floor.first['id']}/reactions", {"type": "🎉"})
    await floor.ann.call("PATCH", f"{floor.path}/members/eve", {"role": "admin"})
    theirs = (await floor.ann.call("POST", "/api/workspaces", {"name": "theirs"})).json()
    workspace = f"/api/workspaces/{theirs['id']}"
    await floor.ann.call("POST", f"{workspace}/members", {"userIds": ["eve"], "role": "admin"})
    open_one = await floor.ann.channel(type="public", name="open")
    await floor.ban(None, reason="enough")
    return Banned(floor, said, poll, open_one, workspace)


async def test_who_is_banned_is_refused_whatever_others_would_see(floor: Floor) -> None:
    made = await banned(floor)
    first, mine = f"{floor.path}/messages/{floor.first['id']}", f"{floor.path}/messages/{made.said['id']}"
    refused: list[tuple[str, str, Any]] = [
        ("PATCH", mine, {"text": "other"}),
        ("POST", f"{first}/reactions", {"type": "👍"}),
        ("POST", f"{first}/pin", None),
        ("POST", f"{mine}/polls", {"question": "?", "options": OPTIONS}),
        ("POST", f"{mine}/ops", {"clientOpId": "x", "baseVersion": 1, "ops": [{"insert": "x"}]}),
        ("POST", f"/api/polls/{made.poll['id']}/vote", {"optionIds": ["1"]}),
        ("POST", f"/api/channels/{made.open_one['id']}/join", None),
        ("POST", "/api/channels", {"type": "group", "name": "mine"}),
        ("PATCH", floor.path, {"name": "mine"}),
        ("POST", f"{floor.path}/truncate", {}),
        ("POST", f"{floor.path}/typing", {"typing": True}),
        ("POST", f"{floor.path}/members", {"userId": "dan"}),
        ("PATCH", f"{floor.path}/members/dan", {"role": "moderator"}),
        ("DELETE", f"{floor.path}/members/dan", None),
        ("DELETE", first, None),
        ("DELETE", f"{first}/purge", None),
        ("POST", f"{floor.path}/bans", {"userId": "dan"}),
        ("PATCH", "/api/users/me", {"name": "words"}),
        ("POST", "/api/workspaces", {"name": "mine"}),
        ("PATCH", made.workspace, {"name": "mine"}),
        ("POST", f"{made.workspace}/invites", {"userIds": ["dan"]}),
        ("POST", "/api/uploads/presigned", {"filename": "x.png", "contentType": "image/png", "size": 1}),
    ]
    for method, path, body in refused:
        answer = await floor.eve.call(method, path, body)
        assert (answer.status_code, error_code(answer)) == (403, "banned"), (method, path, answer.text)
        assert answer.json()["error"]["reason"] == "enough"
    form = await upload(floor.eve, File(b"%PDF-1.7\n" + b"x" * 200, fields={"channelId": floor.id}))
    assert error_code(form) == "banned"


async def test_who_is_banned_reads_takes_back_and_leaves(floor: Floor) -> None:
    made = await banned(floor)
    message = f"{floor.path}/messages"
    allowed: list[tuple[str, str, Any]] = [
        ("GET", message, None),
        ("POST", f"{floor.path}/read", {}),
        ("DELETE", f"{message}/{floor.first['id']}/reactions/🎉", None),
        ("DELETE", f"{message}/{made.said['id']}", None),
        ("GET", "/api/sync", None),
        ("DELETE", f"{made.workspace}/members/eve", None),
        ("POST", f"{floor.path}/leave", None),
    ]
    for method, path, body in allowed:
        answer = await floor.eve.call(method, path, body)
        assert answer.status_code == 200, (method, path, answer.text)


async def test_the_repeat_of_what_was_sent_before_a_ban_is_what_it_was(floor: Floor) -> None:
    body = {"text": "kept", "userId": "eve", "clientMsgId": "before-the-ban"}
    first = await floor.tenant.server("POST", f"{floor.path}/messages", body)
    await floor.ban(None)
    again = await floor.tenant.server("POST", f"{floor.path}/messages", body)
    assert (again.status_code, again.json()) == (200, {**first.json(), "duplicate": True})


async def test_a_ban_that_commits_while_a_send_waits_refuses_it(floor: Floor) -> None:
    scope = Scope(AppId(floor.tenant.id), UserId("eve"), ChannelId(floor.id))
    cause = Cause(scope.app_id, NOW, epoch=1)
    async with transaction(floor.tenant.chat.resources.pool) as tx:
        await banning.ban(tx, cause, scope, Terms())
        plain = asyncio.create_task(by_http(floor))
        kept = asyncio.create_task(by_operation(floor))

        async def waits() -> bool:
            return await waiting_for_locks(floor.tenant.chat) > 0

        await wait_for(waits, what="the operation waits for the channel")
    for status, answer in await asyncio.gather(plain, kept):
        assert (status, answer["error"]["code"]) == (403, "banned")


async def test_an_undeleted_message_and_a_kept_edit_are_refused_as_well(floor: Floor) -> None:
    said = await floor.sent(floor.eve)
    mine = f"{floor.path}/messages/{said['id']}"
    await floor.eve.call("DELETE", mine)
    await floor.ban(floor.bob)

    assert error_code(await floor.eve.call("POST", f"{mine}/undelete")) == "banned"
    op = {"opId": "01890a5d-ac96-774b-bcce-b302099a8057", "laneSeq": 1, "kind": "message.edit"}
    pushed = await floor.eve.call(
        "POST",
        "/api/sync/ops",
        {
            "clientId": "c",
            "channelId": floor.id,
            "ops": [{**op, "messageId": said["id"], "edit": {"text": "x"}}],
        },
    )
    [result] = pushed.json()["results"]
    assert (result["status"], result["error"]["code"]) == (403, "banned")
    system = {"text": "eve was banned", "userId": "eve", "type": "system"}
    assert (await floor.tenant.server("POST", f"{floor.path}/messages", system)).status_code == 201


async def test_only_those_above_ban_and_let_back_in(floor: Floor) -> None:
    for who, target, code in [
        (floor.eve, "dan", "role_too_low"),
        (floor.bob, "ann", "role_too_low"),
        (floor.bob, "bob", "role_too_low"),
    ]:
        answer = await who.call("POST", f"{floor.path}/bans", {"userId": target})
        assert (answer.status_code, error_code(answer)) == (403, code)
    assert error_code(await floor.eve.call("GET", f"{floor.path}/bans")) == "role_too_low"
    stranger = await floor.tenant.user("stranger")
    assert (await stranger.call("POST", f"{floor.path}/bans", {"userId": "eve"})).status_code == 403
    unknown = await floor.tenant.server("POST", "/api/moderation/bans", {"userId": "nobody"})
    assert error_code(unknown) == "user_not_found"
    wrong = await floor.tenant.server(
        "POST", "/api/moderation/bans", {"userId": "eve", "durationS": 0, "to": 1}
    )
    assert set(problems(wrong)) == {"durationS", "to"}

    # Banned before they come: not in the channel, and not let in.
    open_one = await floor.ann.channel(type="public", name="open")
    await floor.ann.call("POST", f"/api/channels/{open_one['id']}/bans", {"userId": "stranger"})
    assert error_code(await stranger.call("POST", f"/api/channels/{open_one['id']}/join")) == "banned"
    # A moderator who is banned moderates nothing.
    await floor.ban(floor.ann, "bob")
    assert error_code(await floor.bob.call("DELETE", f"{floor.path}/members/dan")) == "banned"


@pytest.mark.parametrize("custom", [{"is_admin": True}, {"role": "owner", "scopes": ["moderation:manage"]}])
async def test_nothing_that_users_say_of_themselves_gives_them_rights(
    floor: Floor, custom: dict[str, Any]
) -> None:
    assert (await floor.eve.call("PATCH", "/api/users/me", {"custom": custom})).status_code == 200
    for method, path, body in [
        ("GET", "/api/moderation/reports", None),
        ("GET", "/api/moderation/bans", None),
        ("POST", "/api/moderation/bans", {"userId": "dan"}),
        ("GET", "/api/audit", None),
        ("GET", f"{floor.path}/reports", None),
        ("POST", f"{floor.path}/bans", {"userId": "dan"}),
    ]:
        assert (await floor.eve.call(method, path, body)).status_code == 403, path


async def test_a_ban_of_one_app_is_none_in_another(floor: Floor, tenant: Tenant) -> None:
    other = await floor.tenant.chat.new_tenant("other")
    eve = await other.user("eve")
    elsewhere = await eve.channel(type="group", name="hers")
    await floor.ban(None)
    sent = await eve.call("POST", f"/api/channels/{elsewhere['id']}/messages", {"text": "hello"})
    assert sent.status_code == 201
    assert (await other.server("GET", "/api/moderation/bans")).json()["bans"] == []
