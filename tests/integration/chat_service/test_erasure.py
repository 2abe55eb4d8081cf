"""Erasing a user: a word in everything that a user can write, and then nowhere; killed and taken up again."""

from dataclasses import replace
from uuid import uuid4

import pytest

from chat_service.erasure import rules, work
from chat_service.jobs.store import LeaseLost
from tests.integration.chat_service.calling import Tenant, error_code
from tests.integration.chat_service.erasing import bench_of, claimed, do_jobs, erased, found_in
from tests.integration.chat_service.uploading import PDF, File, uploaded
from tests.integration.chat_service.writing_everywhere import WORD, ok, write_everywhere


async def test_a_word_in_everything_that_a_user_wrote_is_nowhere_afterwards(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    ids = await write_everywhere(tenant, ann, bob)
    assert len(await found_in(tenant.chat, WORD)) >= 10
    erasure = await erased(tenant, "ann")

    assert await found_in(tenant.chat, WORD) == []
    for name in (
        "profile",
        "invites",
        "messages",
        "reactions",
        "votes",
        "memberships",
        "uploads",
        "saved",
        "collaboration",
        "blocks",
        "events",
    ):
        assert erasure["counts"][name] > 0, name
    for file in ids["files"].split():
        assert (await bob.call("GET", f"/api/uploads/{file}")).status_code == 404
    assert await tenant.chat.sql("select id from upload where app_id = $1::uuid", tenant.id) == []
    objects = tenant.chat.resources.depot.objects
    for path in ids["objects"].split():
        assert await objects.size(path) is None
    path = f"/api/channels/{ids['channel']}"
    mine = (await bob.call("GET", f"{path}/messages/{ids['theirs']}")).json()
    assert (mine["text"], mine["reactionCounts"]) == ("mine, edited", {"👍": 1})
    assert (mine["replyCount"], mine["lastReplyAt"]) == (0, None)
    told = (await bob.call("GET", f"{path}/messages/{ids['sent']}")).json()
    assert (told["type"], told["text"], told["userId"], told["pinned"]) == ("deleted", "", "ann", False)
    poll = (await bob.call("GET", f"/api/polls/{ids['poll']}")).json()
    assert (poll["totalVotes"], [option["voteCount"] for option in poll["options"]]) == (0, [0, 0])
    members = (await bob.call("GET", f"{path}/members")).json()["members"]
    assert [member["userId"] for member in members] == ["bob"]
    types = [event["type"] for event in await tenant.events("users/ann") if event["appid"] == tenant.id]
    assert (types[-1], types.count("user.erased")) == ("user.erased", 1)
    assert not {"ann", WORD} & {row["type"] for row in await tenant.chat.sql("select type from reaction")}


async def test_log_rows_keep_their_place_and_readers_are_told_which_changed(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    made = await bob.channel(type="group", memberIds=["ann"])
    messages = f"/api/channels/{made['id']}/messages"
    sent = await ok(ann, "POST", messages, {"text": WORD, "clientMsgId": WORD})
    await ok(bob, "POST", messages, {"text": "kept"})
    before = {event["id"]: event for event in await tenant.events(f"channels/{made['id']}")}

    await erased(tenant, "ann")

    after = await tenant.events(f"channels/{made['id']}")
    for event in after:
        if (old := before.get(event["id"])) is not None:
            assert {**old, "data": None} == {**event, "data": None}
    changed = {event["id"] for event in after if event["id"] in before and before[event["id"]] != event}
    told = await tenant.chat.sql("select event_id from redacted_event")
    assert changed
    assert changed <= {str(row["event_id"]) for row in told}
    [purged] = [event for event in after if event["type"] == "message.purged"]
    assert (purged["data"]["id"], purged["data"]["clientMsgId"]) == (sent["id"], f"erased-{sent['id']}")
    assert [int(event["sequence"]) for event in after] == list(range(1, len(after) + 1))


async def test_a_process_that_dies_after_any_chunk_is_followed_by_another(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    await write_everywhere(tenant, ann, bob)
    asked = await tenant.server("POST", "/api/users/ann/erase", {})
    bench, chat = bench_of(tenant.chat), tenant.chat
    chunks = 0
    while True:
        await chat.sql(
            "update job set run_after = now(), lease_until = now() - interval '1 s' where state <> 'done'"
        )
        job = await claimed(tenant.chat, "erase")
        if job is None:
            break
        stale = replace(job, holder=str(uuid4()))
        with pytest.raises(LeaseLost):
            await work.advance(bench, stale)
        await work.advance(bench, job)
        chunks += 1
    assert chunks >= len(rules.STEPS)
    shown = (await tenant.server("GET", f"/api/erasures/{asked.json()['id']}")).json()
    assert (shown["status"], shown["step"]) == ("done", "told")
    assert shown["counts"]["messages"] == 7
    assert await found_in(chat, WORD) == []
    types = [event["type"] for event in await tenant.events("users/ann") if event["appid"] == tenant.id]
    assert types.count("user.erased") == 1


async def test_nobody_comes_back_under_the_id_of_an_erased_user(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    made = await bob.channel(type="group", memberIds=["ann"])
    first = (await tenant.server("POST", "/api/users/ann/erase")).json()
    again = await tenant.server("POST", "/api/users/ann/erase", {})
    assert (again.status_code, again.json()["id"]) == (202, first["id"])
    await do_jobs(tenant.chat)
    assert (await ann.call("GET", "/api/users/me")).status_code == 401
    for method, path, body in (
        ("POST", "/api/users/ensure", {"userId": "ann", "name": "Ann"}),
        ("POST", "/api/users/bulk-ensure", {"users": [{"userId": "ann"}]}),
        ("PATCH", "/api/users/ann", {"name": "Ann"}),
        ("POST", "/api/users/ann/reactivate", None),
    ):
        refused = await tenant.server(method, path, body)
        assert (refused.status_code, error_code(refused)) == (409, "user_erased"), path
    added = await tenant.server("POST", f"/api/channels/{made['id']}/members", {"userIds": ["ann"]})
    assert added.status_code == 422
    unknown = await tenant.server("POST", "/api/users/nobody/erase", {})
    assert (unknown.status_code, error_code(unknown)) == (404, "user_not_found")
    lost = await tenant.server("GET", f"/api/erasures/{uuid4()}")
    assert (lost.status_code, error_code(lost)) == (404, "erasure_not_found")


async def test_messages_may_stay_under_a_name_that_says_nothing(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    await ok(ann, "PATCH", "/api/users/me", {"name": WORD})
    made = await ann.channel(type="group", memberIds=["bob"])
    file = await uploaded(ann, File(PDF))
    shown = {"type": "file", "uploadId": file["id"], "url": file["url"]}
    messages = f"/api/channels/{made['id']}/messages"
    sent = await ok(ann, "POST", messages, {"text": "useful", "attachments": [shown]})

    erasure = await erased(tenant, "ann", messages="keep")

    assert erasure["messages"] == "keep"
    kept = (await bob.call("GET", f"{messages}/{sent['id']}")).json()
    assert (kept["text"], kept["userId"]) == ("useful", "ann")
    assert (await bob.call("GET", f"/api/uploads/{file['id']}")).status_code == 200
    assert (await tenant.server("GET", "/api/users/ann")).json()["name"] is None
    assert await found_in(tenant.chat, WORD) == []
    [bobs] = (await bob.call("GET", f"/api/channels/{made['id']}/members")).json()["members"]
    assert (bobs["userId"], bobs["role"]) == ("bob", "owner")


async def test_an_erasure_that_was_given_up_is_begun_anew(tenant: Tenant) -> None:
    await tenant.user("ann")
    first = (await tenant.server("POST", "/api/users/ann/erase", {})).json()
    await tenant.chat.sql("update job set state = 'failed' where id = $1::uuid", first["id"])
    assert (await tenant.server("GET", f"/api/erasures/{first['id']}")).json()["status"] == "failed"
    second = await erased(tenant, "ann")
    assert second["id"] != first["id"]
    types = [event["type"] for event in await tenant.events("users/ann") if event["appid"] == tenant.id]
    assert types == ["user.created", "user.deleted", "user.erased"]


async def test_every_table_has_an_answer_to_what_becomes_of_a_user_in_it(tenant: Tenant) -> None:
    rows = await tenant.chat.sql(
        "select relname from pg_class join pg_namespace space on space.oid = relnamespace"
        " where nspname = 'public' and relkind in ('r', 'p') and not relispartition"
    )
    tables = {row["relname"] for row in rows} - {"alembic_version"}
    assert tables == WHAT_BECOMES_OF.keys(), "a new table: erase what it holds of a user, then name it here"


NOTHING_OF_A_USER = "holds nothing that a user wrote"
WHAT_BECOMES_OF = {
    "app": NOTHING_OF_A_USER,
    "audit_entry": "kept: who did what to which id, and no words",
    "ban": "deleted: the id is never used again",
    "api_key": NOTHING_OF_A_USER,
    "app_screening": NOTHING_OF_A_USER,
    "app_user": "emptied, and never used again",
    "before_send_hook": NOTHING_OF_A_USER,
    "channel": "emptied and deleted where it was the user's alone; else it is its members'",
    "channel_member": "deleted, with user.left",
    "deleted_content": "deleted",
    "departure": "deleted",
    "event": "redacted",
    "idempotency_key": "the user's own deleted; those of servers are sealed, and gone within seven days",
    "import_channel": NOTHING_OF_A_USER,
    "import_message": NOTHING_OF_A_USER,
    "job": "exports deleted with their files; an erasure keeps the id and counts",
    "legal_hold": "a held user is not erased",
    "link_preview_job": "deleted with the user's messages",
    "mention": "deleted where the user is named, and with the user's messages",
    "mention_read": "deleted",
    "message": "emptied but for its place, its author and its time",
    "message_history": "deleted",
    "message_report": "deleted: by the user, and about what the user wrote",
    "message_search": "deleted",
    "op_lane": "deleted",
    "op_result": "deleted",
    "notification_scan": NOTHING_OF_A_USER,
    "platform": NOTHING_OF_A_USER,
    "poll": "deleted with its message",
    "poll_option": "deleted with its poll",
    "collab_op": "deleted with the user's messages; in those of others it loses what the user called it",
    "collab_text": "deleted with the user's messages",
    "poll_vote": "deleted, and no longer counted in open polls",
    "pre_tombstone": "deleted",
    "presence_connection": "gone with the user's sockets, which a revocation closes",
    "presence_session": NOTHING_OF_A_USER,
    "rate_limit_bucket": "keeps the id for as long as its bucket fills, and no words",
    "rate_limit_replica": NOTHING_OF_A_USER,
    "reaction": "deleted, with reaction.removed",
    "redacted_event": NOTHING_OF_A_USER,
    "relay_lane": NOTHING_OF_A_USER,
    "relay_session": NOTHING_OF_A_USER,
    "revoked_token": NOTHING_OF_A_USER,
    "saved_message": "deleted",
    "screening_verdict": "deleted",
    "search_position": NOTHING_OF_A_USER,
    "thread_place": "deleted, unless replies stay",
    "upload": "deleted with its objects",
    "upload_link": "deleted",
    "user_block": "deleted in both directions",
    "user_mute": "deleted in both directions",
    "user_presence": "deleted",
    "word_list_entry": NOTHING_OF_A_USER,
    "workspace": "emptied and deleted where it was the user's alone; else it is its members'",
    "workspace_invite": "deleted: to the user, and by the user",
    "workspace_leaver": "deleted",
    "workspace_member": "deleted, with workspace.member_left",
}
