"""Exports: everything about a user or a channel as readable lines, for those who may have them, for a time."""

from uuid import uuid4

import orjson

from chat_service.jobs.cleanup import clean
from tests.integration.chat_service.calling import Tenant, error_code
from tests.integration.chat_service.erasing import do_jobs, erased, exported, fetch
from tests.integration.chat_service.writing_everywhere import ok, write_everywhere


async def test_a_user_is_given_everything_about_them_and_nothing_of_others(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    ids = await write_everywhere(tenant, ann, bob)

    export, lines = await exported(ann, "/api/users/me/export")

    kinds = [line["kind"] for line in lines]
    assert kinds[0] == "export"
    for kind in (
        "user",
        "member",
        "workspace_member",
        "invitation",
        "channel_created",
        "message",
        "message_version",
        "reaction",
        "poll",
        "vote",
        "saved",
        "block",
        "upload",
    ):
        assert kind in kinds, kind
        assert export["counts"][kind] == kinds.count(kind)
    by_kind = {line["kind"]: line for line in lines}
    assert by_kind["user"]["email"] == "zwiebelkuchen@example.com"
    assert {line["userId"] for line in lines if line["kind"] == "message"} == {"ann"}
    said = {line["id"]: line for line in lines if line["kind"] == "message"}
    assert said[ids["sent"]]["text"] == "zwiebelkuchen two"
    assert said[ids["sent"]]["attachments"][0]["title"] == "zwiebelkuchen"
    assert by_kind["message_version"]["text"] == "zwiebelkuchen one"
    assert "mine, edited" not in orjson.dumps(lines).decode()
    told = await tenant.events(f"exports/{export['id']}")
    assert [(event["type"], event["data"]["size"]) for event in told] == [
        ("export.completed", export["size"])
    ]
    assert b"zwiebelkuchen" not in orjson.dumps(told)
    await erased(tenant, "ann")
    gone = await tenant.server("GET", f"/api/exports/{export['id']}")
    assert (gone.status_code, error_code(gone)) == (404, "export_not_found")
    assert (await tenant.server("POST", "/api/users/ann/export")).status_code == 409


async def test_a_channel_is_exported_for_its_owner_as_its_members_see_it(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    made = await ann.channel(type="group", name="plans", memberIds=["bob"])
    path = f"/api/channels/{made['id']}"
    for text in ("hidden", "shown"):
        await ok(bob, "POST", f"{path}/messages", {"text": text})
    await ok(ann, "POST", f"{path}/truncate", {"beforeSeq": 1})
    options = [{"id": "y", "text": "y"}, {"id": "n", "text": "n"}]
    for secret in (True, False):
        body = {"question": f"{secret}", "options": options, "isAnonymous": secret}
        poll = await ok(ann, "POST", f"{path}/polls", body)
        await ok(bob, "POST", f"/api/polls/{poll['id']}/vote", {"optionIds": ["y"]})
    refused = await bob.call("POST", f"{path}/export")
    assert (refused.status_code, error_code(refused)) == (403, "role_too_low")

    export, lines = await exported(ann, f"{path}/export")

    texts = [line["text"] for line in lines if line["kind"] == "message"]
    assert texts[0] == "shown"
    assert "hidden" not in texts
    assert [line["name"] for line in lines if line["kind"] == "channel"] == ["plans"]
    assert len([line for line in lines if line["kind"] == "vote"]) == 1
    assert (await bob.call("GET", f"/api/exports/{export['id']}")).status_code == 404
    assert (await fetch(tenant, export)).status_code == 200
    by_server, _ = await exported(tenant, f"{path}/export")
    assert by_server["id"] != export["id"]


async def test_an_export_is_one_while_it_is_written_and_gone_after_its_time(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    first = await ok(tenant, "POST", "/api/users/ann/export")
    assert (await ok(tenant, "POST", "/api/users/ann/export"))["id"] == first["id"]
    early = await fetch(tenant, first)
    assert (early.status_code, error_code(early)) == (409, "export_unfinished")
    await do_jobs(tenant.chat)
    assert (await fetch(bob, first)).status_code == 404
    assert (await fetch(ann, first)).status_code == 200
    resources = tenant.chat.resources
    [row] = await tenant.chat.sql("select file_path from job where id = $1::uuid", first["id"])
    await tenant.chat.sql("update job set expires_at = now() where id = $1::uuid", first["id"])

    await clean(resources.pool, resources.depot.objects, lambda: None)

    late = await fetch(tenant, first)
    assert (late.status_code, error_code(late)) == (410, "export_expired")
    assert await resources.depot.objects.size(row["file_path"]) is None
    shown = await ok(tenant, "GET", f"/api/exports/{first['id']}")
    assert (shown["status"], shown["url"]) == ("expired", None)
    assert (await tenant.server("GET", f"/api/exports/{uuid4()}")).status_code == 404
    assert (await tenant.server("POST", "/api/users/nobody/export")).status_code == 404
