"""Legal holds against everything that deletes, and messages that are older than their app keeps them."""

from typing import Any
from uuid import uuid4

from chat_service.channels.sweep import Sweep
from chat_service.messages.detail_store import forget_expired_content
from chat_service.retention.expiry import Expiry
from chatsdk_contracts.wire import from_epoch_ms
from chatsdk_runtime.postgres import reading
from tests.integration.chat_service.calling import Caller, Tenant, error_code
from tests.integration.chat_service.erasing import do_jobs, found_in
from tests.integration.chat_service.uploading import PDF, File, uploaded

WORD = "rhabarberbaiser"


async def say(caller: Caller, channel: dict[str, Any], text: str = WORD, **fields: Any) -> dict[str, Any]:
    response = await caller.call("POST", f"/api/channels/{channel['id']}/messages", {"text": text, **fields})
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


async def hold(tenant: Tenant, **what: str) -> str:
    made = await tenant.server("POST", "/api/legal-holds", {**what, "reason": "case 7"})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def expire(tenant: Tenant) -> int:
    pool = tenant.chat.resources.pool
    return await Expiry(pool, epoch=1, interval_s=1.0, wake_relay=lambda: None).round()


async def sweep(tenant: Tenant) -> None:
    sweeper = Sweep(tenant.chat.resources.pool, epoch=1, wake_relay=lambda: None)
    while await sweeper.step():
        pass


async def test_nothing_that_is_held_is_deleted_by_anybody_until_it_is_released(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    made = await ann.channel(type="group", memberIds=["bob"])
    anns, bobs = await say(ann, made), await say(bob, made)
    file = await uploaded(ann, File(PDF, fields={"channelId": made["id"]}))
    path = f"/api/channels/{made['id']}"
    of_ann, of_channel = await hold(tenant, userId="ann"), await hold(tenant, channelId=made["id"])
    assert await hold(tenant, userId="ann") == of_ann
    refusals: tuple[tuple[Caller | Tenant, str, str, Any], ...] = (
        (ann, "DELETE", f"{path}/messages/{anns['id']}", None),
        (ann, "DELETE", f"{path}/messages/{anns['id']}/purge", None),
        (bob, "DELETE", f"{path}/messages/{bobs['id']}", None),
        (ann, "POST", f"{path}/truncate", {"hard": True}),
        (ann, "DELETE", path, None),
        (ann, "DELETE", f"/api/uploads/{file['id']}", None),
        (tenant, "POST", "/api/users/ann/erase", {}),
        (tenant, "POST", "/api/users/bob/erase", {}),
    )
    for who, method, where, body in refusals:
        refused = await (who.server if isinstance(who, Tenant) else who.call)(method, where, body)
        assert (refused.status_code, error_code(refused)) == (423, "legal_hold"), (method, where)
    shown = (await tenant.server("GET", "/api/legal-holds")).json()
    assert [one["id"] for one in shown["holds"]] == [of_ann, of_channel]

    released = await tenant.server("DELETE", f"/api/legal-holds/{of_channel}")

    assert released.json()["releasedAt"] is not None
    again = await tenant.server("DELETE", f"/api/legal-holds/{of_channel}")
    assert (again.status_code, error_code(again)) == (404, "hold_not_found")
    assert (await bob.call("DELETE", f"{path}/messages/{bobs['id']}")).status_code == 200
    still = await ann.call("DELETE", f"{path}/messages/{anns['id']}")
    assert error_code(still) == "legal_hold"
    await tenant.server("DELETE", f"/api/legal-holds/{of_ann}")
    assert (await ann.call("DELETE", f"{path}/messages/{anns['id']}")).status_code == 200


async def test_a_hold_stops_what_is_under_way_and_its_release_lets_it_go_on(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    made = await ann.channel(type="group", memberIds=["bob"])
    deleted, kept = await say(bob, made), await say(bob, made)
    path = f"/api/channels/{made['id']}"
    await bob.call("DELETE", f"{path}/messages/{deleted['id']}")
    await ann.call("POST", f"{path}/truncate", {"hard": True})
    asked = (await tenant.server("POST", "/api/users/bob/erase", {})).json()
    held = await hold(tenant, channelId=made["id"])
    late = from_epoch_ms(4_000_000_000_000)

    await sweep(tenant)
    await do_jobs(tenant.chat)
    async with reading(tenant.chat.resources.pool) as connection:
        await forget_expired_content(connection, late)

    waiting = (await tenant.server("GET", f"/api/erasures/{asked['id']}")).json()
    assert waiting["status"] == "waiting"
    rows = await tenant.chat.sql(
        "select (select text from message where id = $1::uuid) as text,"
        " (select count(*) from deleted_content where message_id = $2::uuid) as copies",
        kept["id"],
        deleted["id"],
    )
    assert tuple(rows[0]) == (WORD, 1)
    await tenant.server("DELETE", f"/api/legal-holds/{held}")
    await sweep(tenant)
    await do_jobs(tenant.chat)
    assert (await tenant.server("GET", f"/api/erasures/{asked['id']}")).json()["status"] == "done"
    assert await found_in(tenant.chat, WORD) == []


async def test_messages_go_when_they_are_older_than_their_type_of_channel_keeps_them(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    group, team, held = [await ann.channel(type=kind) for kind in ("group", "team", "group")]
    for channel in (group, team, held):
        for text in ("old", "older than it looks", "new"):
            await say(ann, channel, text)
    await say(bob, await bob.channel(type="group"), "new")
    ids = [channel["id"] for channel in (group, team, held)]
    await tenant.chat.sql(
        "update message set created_at = created_at - interval '31 days'"
        " where channel_id = any($1::uuid[]) and seq in (1, 2)",
        ids,
    )
    await hold(tenant, channelId=held["id"])
    assert await expire(tenant) == 0
    chosen = await tenant.server("PATCH", "/api/app/settings", {"retentionDays": {"group": 30}})
    assert chosen.json()["retentionDays"] == {"group": 30}

    assert await expire(tenant) == 1
    assert await expire(tenant) == 0
    await sweep(tenant)

    rows = await tenant.chat.sql(
        "select channel_id::text, array_agg(text order by seq) as texts from message"
        " where channel_id = any($1::uuid[]) group by 1",
        ids,
    )
    texts = {row["channel_id"]: row["texts"] for row in rows}
    assert texts[group["id"]] == ["", "", "new"]
    assert texts[team["id"]] == texts[held["id"]] == ["old", "older than it looks", "new"]
    event = (await tenant.events(f"channels/{group['id']}"))[-1]
    assert (event["type"], event["data"]["truncatedSeq"], event["data"]["truncatedBy"]) == (
        "channel.truncated",
        2,
        None,
    )
    for wrong in ({"group": 0}, {"group": 40_000}, {"other": 3}, {"group": "x"}):
        refused = await tenant.server("PATCH", "/api/app/settings", {"retentionDays": wrong})
        assert refused.status_code == 422, wrong


async def test_what_was_never_sent_goes_by_its_age_too(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    await tenant.server("POST", "/api/moderation/word-list/entries", {"phrase": WORD, "action": "hold"})
    await tenant.server("PATCH", "/api/app/settings", {"retentionDays": {"group": 30}})
    group, team, closed = [
        await ann.channel(type=kind, memberIds=["bob"]) for kind in ("group", "team", "group")
    ]
    waiting, rejected, orphan = await say(ann, group), await say(ann, group), await say(ann, closed)
    await tenant.server("POST", f"/api/moderation/held/{rejected['id']}/reject", {})
    covered, elsewhere = await say(bob, group), await say(ann, team)
    await tenant.chat.sql(
        "update message set created_at = created_at - interval '31 days' where app_id = $1::uuid", tenant.id
    )
    young = await say(ann, group)
    await ann.call("DELETE", f"/api/channels/{closed['id']}")
    of_bob = await hold(tenant, userId="bob")

    async def left() -> set[str]:
        rows = await tenant.chat.sql(
            "select id::text from message where app_id = $1::uuid and text = $2", tenant.id, WORD
        )
        return {row["id"] for row in rows}

    assert await expire(tenant) == 3
    assert await expire(tenant) == 0

    assert await left() == {covered["id"], elsewhere["id"], young["id"]}
    told = [one for one in await tenant.events("users/ann") if one["data"].get("id") == waiting["id"]]
    assert [(one["type"], one["data"]["text"]) for one in told] == [
        ("message.held", ""),
        ("message.rejected", ""),
    ]
    audit = (await tenant.server("GET", "/api/audit?action=message.rejected")).json()["entries"]
    assert [(one["actorKind"], one["targetId"]) for one in audit[::-1]] == [
        ("server", rejected["id"]),
        ("system", waiting["id"]),
        ("system", orphan["id"]),
    ]
    late = await tenant.server("POST", f"/api/moderation/held/{waiting['id']}/approve", {})
    assert error_code(late) == "already_decided"
    await tenant.server("DELETE", f"/api/legal-holds/{of_bob}")
    assert await expire(tenant) == 1
    assert await left() == {elsewhere["id"], young["id"]}


async def test_a_hold_names_one_thing_of_the_app(tenant: Tenant) -> None:
    others = await tenant.chat.new_tenant()
    far = await others.user("far")
    theirs = await far.channel(type="group")
    for body, status in (
        ({}, 422),
        ({"userId": "far", "channelId": theirs["id"]}, 422),
        ({"userId": "far"}, 404),
        ({"channelId": theirs["id"]}, 404),
        ({"channelId": str(uuid4())}, 404),
    ):
        assert (await tenant.server("POST", "/api/legal-holds", body)).status_code == status, body
    held = await others.server("POST", "/api/legal-holds", {"userId": "far"})
    assert (await tenant.server("DELETE", f"/api/legal-holds/{held.json()['id']}")).status_code == 404
    assert (await tenant.server("GET", "/api/legal-holds")).json()["holds"] == []
