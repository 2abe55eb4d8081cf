"""Imports: lines from elsewhere with their own ids and times, each once, in the order of time, told by one reset."""

from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from chat_service.imports import work
from chat_service.jobs.bench import Bench
from chat_service.jobs.rules import Job
from chatsdk_runtime.postgres import Transaction
from tests.integration.chat_service.calling import Caller, Tenant, error_code
from tests.integration.chat_service.erasing import bench_of, claimed, do_jobs, exported

OLD = "2020-01-0{}T10:00:00.000Z"


def a_world() -> list[dict[str, Any]]:
    """Two users in a channel, messages in no order, a thread, and reactions."""
    message = {"kind": "message", "channelId": "general", "userId": "ann"}
    return [
        {"kind": "user", "id": "ann", "name": "Ann", "createdAt": OLD.format(1)},
        {"kind": "user", "id": "bob", "email": "bob@example.com"},
        {"kind": "channel", "id": "general", "type": "group", "name": "General", "createdBy": "ann",
         "createdAt": OLD.format(1)},
        {"kind": "member", "channelId": "general", "userId": "ann", "role": "owner"},
        {"kind": "member", "channelId": "general", "userId": "bob", "joinedAt": OLD.format(2)},
        {**message, "id": "m3", "text": "third", "createdAt": OLD.format(5)},
        {**message, "id": "m1", "text": "first pumpernickel", "createdAt": OLD.format(3), "userId": "bob"},
        {**message, "id": "m2", "text": "second", "createdAt": OLD.format(4),
         "attachments": [{"type": "image", "url": "https://x/y.png"}], "custom": {"from": "elsewhere"}},
        {**message, "id": "r2", "text": "reply two", "createdAt": OLD.format(9), "parentId": "m1"},
        {**message, "id": "r1", "text": "reply one", "createdAt": OLD.format(8), "parentId": "m1"},
        {**message, "id": "gone", "type": "deleted", "createdAt": OLD.format(6), "deletedAt": OLD.format(7)},
        {"kind": "reaction", "messageId": "m1", "userId": "ann", "type": "👍", "createdAt": OLD.format(4)},
        {"kind": "reaction", "messageId": "m1", "userId": "bob", "type": "👍"},
    ]  # fmt: skip


def lines_of(lines: list[dict[str, Any]]) -> bytes:
    return b"\n".join(orjson.dumps(line) for line in lines)


async def imported(tenant: Tenant, lines: list[dict[str, Any]]) -> dict[str, Any]:
    asked = await tenant.server("POST", "/api/import", lines_of(lines), Content_Type="application/x-ndjson")
    assert asked.status_code == 202, asked.text
    await do_jobs(tenant.chat)
    shown: dict[str, Any] = (await tenant.server("GET", f"/api/imports/{asked.json()['id']}")).json()
    assert shown["status"] == "done", shown
    return shown


async def timeline(caller: Caller, channel_id: str) -> list[tuple[int, str, str]]:
    page = (await caller.call("GET", f"/api/channels/{channel_id}/messages")).json()
    return [(one["seq"], one["text"], one["createdAt"]) for one in page["messages"]]


async def general_of(caller: Caller) -> dict[str, Any]:
    [channel] = (await caller.call("GET", "/api/channels")).json()["channels"]
    found: dict[str, Any] = channel
    return found


async def test_a_world_comes_in_with_its_times_and_the_second_time_nothing_happens(tenant: Tenant) -> None:
    first = await imported(tenant, a_world())

    assert first["errors"] == []
    wanted = {"lines": 13, "users": 2, "channels": 1, "members": 2, "messages": 6, "reactions": 2}
    assert {name: first["counts"][name] for name in wanted} == wanted
    ann = await tenant.token("ann")
    general = await general_of(ann)
    assert (general["name"], general["memberCount"], general["unreadCount"]) == ("General", 2, 0)
    assert await timeline(ann, general["id"]) == [
        (1, "first pumpernickel", OLD.format(3)),
        (2, "second", OLD.format(4)),
        (3, "third", OLD.format(5)),
        (4, "", OLD.format(6)),
    ]
    page = (await ann.call("GET", f"/api/channels/{general['id']}/messages")).json()["messages"]
    assert (page[0]["replyCount"], page[0]["reactionCounts"], page[3]["type"]) == (2, {"👍": 2}, "deleted")
    rows = await tenant.chat.sql(
        "select user_id, reply_count, followed from thread_place where parent_id = $1 order by 1",
        UUID(page[0]["id"]),
    )
    assert [tuple(row) for row in rows] == [("ann", 2, True), ("bob", 0, True)]
    rows = await tenant.chat.sql(
        "select text from message where parent_id = $1 order by thread_seq", UUID(page[0]["id"])
    )
    assert [row["text"] for row in rows] == ["reply one", "reply two"]
    found = (await ann.call("GET", "/api/search?q=pumpernickel")).json()
    assert orjson.dumps(found).count(b"pumpernickel") >= 1
    types = [event["type"] for event in await tenant.events(f"channels/{general['id']}")]
    assert types == ["channel.updated"]

    again = await imported(tenant, a_world())

    assert (again["counts"]["unchanged"], again["errors"]) == (13, [])
    assert {"users", "channels", "messages"}.isdisjoint(again["counts"])
    assert [event["type"] for event in await tenant.events(f"channels/{general['id']}")] == types
    made = await tenant.server(
        "POST", "/api/channels/ensure-group", {"externalId": "general", "memberIds": ["ann"]}
    )
    assert made.status_code in {404, 405} or made.json()["id"] == general["id"]


async def test_who_left_and_is_imported_again_is_back_and_keeps_the_generation_of_the_marker(
    tenant: Tenant,
) -> None:
    await imported(tenant, a_world())
    bob = await tenant.token("bob")
    general = await general_of(bob)
    await bob.call("POST", f"/api/channels/{general['id']}/unread", {"seq": 2})
    await bob.call("POST", f"/api/channels/{general['id']}/leave")

    again = await imported(tenant, a_world())

    assert again["counts"]["members"] == 1
    back = await general_of(bob)
    assert (back["readGeneration"], back["lastReadSeq"]) == (1, 4)
    assert await tenant.chat.sql("select from departure where user_id = 'bob'") == []


async def test_what_is_there_stays_and_what_comes_is_appended_with_one_reset(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    made = await ann.channel(type="group", memberIds=["bob"])
    path = f"/api/channels/{made['id']}/messages"
    await ann.call("POST", path, {"text": "here before"})
    await bob.call("POST", f"/api/channels/{made['id']}/read", {})
    cursor = (await bob.call("GET", "/api/sync")).json()["cursor"]
    line = {"kind": "message", "channelId": made["id"], "userId": "bob", "createdAt": OLD.format(1)}
    kept = str(uuid4())

    await imported(tenant, [{**line, "id": "b", "text": "two", "createdAt": OLD.format(2)},
                            {**line, "id": kept, "text": "one"}])  # fmt: skip

    assert [one[:2] for one in await timeline(bob, made["id"])] == [
        (1, "here before"),
        (2, "one"),
        (3, "two"),
    ]
    assert (await bob.call("GET", f"{path}/{kept}")).json()["text"] == "one"
    sent = (await ann.call("POST", path, {"text": "after"})).json()
    assert sent["seq"] == 4
    await number(tenant)
    page = (await bob.call("GET", f"/api/sync?cursor={cursor}")).json()
    assert [(one["channelId"], one["lastSeq"]) for one in page["reset"]] == [(made["id"], 4)]


async def number(tenant: Tenant) -> None:
    """Positions for the log, as the relay gives them."""
    await tenant.chat.sql(
        "with numbered as ("
        "  select id, lane, row_number() over (partition by lane order by id) as place from event"
        "  where lane_pos is null"
        "), moved as ("
        "  update relay_lane set next_pos = next_pos + n from"
        "  (select lane, count(*) as n from numbered group by lane) as more where more.lane = relay_lane.lane"
        ")"
        " update event set lane_pos = relay_lane.next_pos + place - 1 from numbered"
        " join relay_lane on relay_lane.lane = numbered.lane where event.id = numbered.id"
    )


async def test_lines_that_cannot_be_taken_are_named_and_the_others_are_taken(tenant: Tenant) -> None:
    others = await tenant.chat.new_tenant()
    far = await others.user("far")
    theirs = await far.channel(type="group")
    said = (await far.call("POST", f"/api/channels/{theirs['id']}/messages", {"text": "x"})).json()
    good = [*a_world()[:5]]
    message = {"kind": "message", "channelId": "general", "userId": "ann", "createdAt": OLD.format(3)}
    bad: list[tuple[Any, str, str]] = [
        ({"kind": "planet"}, "kind", "unknown_kind"),
        ([1], "kind", "unknown_kind"),
        ({"kind": "user", "id": "me"}, "id", "reserved"),
        ({"kind": "user", "id": "x", "colour": "red"}, "colour", "extra_forbidden"),
        ({**message, "id": "1", "createdAt": None}, "createdAt", "datetime_type"),
        ({**message, "id": "2", "channelId": "nowhere"}, "channelId", "unknown_channel"),
        ({**message, "id": "3", "userId": "nobody"}, "userId", "unknown_user"),
        ({**message, "id": "4", "parentId": "nothing"}, "parentId", "not_found"),
        ({**message, "id": said["id"]}, "id", "taken"),
        ({**message, "id": "5", "channelId": theirs["id"]}, "channelId", "unknown_channel"),
        ({"kind": "channel", "id": theirs["id"]}, "id", "taken"),
        ({"kind": "channel", "id": "c9", "createdBy": "nobody"}, "createdBy", "unknown_user"),
        ({"kind": "member", "channelId": "general", "userId": "nobody"}, "userId", "unknown_user"),
        ({"kind": "member", "channelId": "nowhere", "userId": "ann"}, "channelId", "unknown_channel"),
        (
            {"kind": "reaction", "messageId": "nothing", "userId": "ann", "type": "👍"},
            "messageId",
            "not_found",
        ),
    ]
    body = (
        lines_of([*good, *(line for line, _, _ in bad)])
        + b"\n{broken\n\n"
        + orjson.dumps({**message, "id": "fine", "text": "fine"})
    )
    asked = await tenant.server("POST", "/api/import", body)
    await do_jobs(tenant.chat)

    shown = (await tenant.server("GET", f"/api/imports/{asked.json()['id']}")).json()

    numbers = [len(good) + place for place in range(1, len(bad) + 2)]
    assert [one["line"] for one in shown["errors"]] == numbers
    assert [(one["path"], one["code"]) for one in shown["errors"]] == [
        *((path, code) for _, path, code in bad),
        ("", "invalid_json"),
    ]
    assert (shown["counts"]["refused"], shown["counts"]["messages"]) == (len(bad) + 1, 1)
    flood = await imported(tenant, [{"kind": "planet"}] * 450)
    assert (flood["counts"]["refused"], len(flood["errors"])) == (450, 100)
    empty = await tenant.server("POST", "/api/import", b"")
    assert (empty.status_code, error_code(empty)) == (400, "import_empty")
    assert (await tenant.server("GET", f"/api/imports/{uuid4()}")).status_code == 404


async def test_an_import_goes_on_where_a_dead_process_left_it(tenant: Tenant) -> None:
    lines = a_world()
    lines += [
        {"kind": "message", "id": f"n{place}", "channelId": "general", "userId": "bob", "text": f"{place}",
         "createdAt": OLD.format(7)}
        for place in range(500)
    ]  # fmt: skip
    asked = await tenant.server("POST", "/api/import", lines_of(lines), Idempotency_Key="k1")
    repeated = await tenant.server("POST", "/api/import", lines_of(lines), Idempotency_Key="k1")
    assert repeated.json()["id"] == asked.json()["id"]
    bench, chat = bench_of(tenant.chat), tenant.chat
    while True:
        await chat.sql("update job set lease_until = now() - interval '1 s' where kind = 'import'")
        job = await claimed(tenant.chat, "import")
        if job is None:
            break
        with pytest.raises(RuntimeError):
            await work.advance(Dying(bench.pool, bench.objects, 1, 30.0), job)
        await work.advance(bench, job)

    ann = await tenant.token("ann")
    shown = (await tenant.server("GET", f"/api/imports/{asked.json()['id']}")).json()
    assert (shown["status"], shown["counts"]["messages"]) == ("done", 506)
    rows = await chat.sql(
        "select seq from message where app_id = $1 and parent_id is null order by seq", UUID(tenant.id)
    )
    assert [row["seq"] for row in rows] == list(range(1, 505))
    assert (await general_of(ann))["lastSeq"] == 504
    left = await chat.sql(
        "select (select count(*) from import_message) + (select count(*) from import_channel) as rows"
    )
    assert left[0]["rows"] == 0


class Dying(Bench):
    """Dies before a chunk commits, with all that it wrote."""

    async def save(self, tx: Transaction, job: Job) -> Job:
        raise RuntimeError


async def test_what_a_given_up_import_left_without_a_place_gets_it_from_the_next(tenant: Tenant) -> None:
    asked = (await tenant.server("POST", "/api/import", lines_of(a_world()))).json()
    bench, chat = bench_of(tenant.chat), tenant.chat
    job = await claimed(tenant.chat, "import")
    assert job is not None
    while job.step != "place":
        job = await work.advance(bench, job)
    await chat.sql("update job set state = 'failed' where id = $1::uuid", asked["id"])

    again = await imported(tenant, a_world())

    assert again["counts"]["unchanged"] == 13
    ann = await tenant.token("ann")
    assert [one[0] for one in await timeline(ann, (await general_of(ann))["id"])] == [1, 2, 3, 4]
    await chat.sql("update job set state = 'waiting', lease_until = null where id = $1::uuid", asked["id"])
    await do_jobs(chat)
    assert [one[0] for one in await timeline(ann, (await general_of(ann))["id"])] == [1, 2, 3, 4]


async def test_an_export_can_be_imported_by_another_app(tenant: Tenant) -> None:
    ann, _ = await tenant.users("ann", "bob")
    made = await ann.channel(type="group", name="moving", memberIds=["bob"])
    path = f"/api/channels/{made['id']}/messages"
    await ann.call("POST", path, {"text": "one"})
    await ann.call("POST", path, {"text": "two"})
    _, lines = await exported(ann, f"/api/channels/{made['id']}/export")
    # Ids of ours are ours everywhere; elsewhere they are names.
    text = lines_of(lines)
    for line in lines:
        if line["kind"] in {"channel", "message"}:
            text = text.replace(line["id"].encode(), f"old-{line['id'][-12:]}".encode())
    other = await tenant.chat.new_tenant()
    await other.users("ann", "bob")

    asked = await other.server("POST", "/api/import", text)
    await do_jobs(tenant.chat)

    shown = (await other.server("GET", f"/api/imports/{asked.json()['id']}")).json()
    assert (shown["errors"], shown["counts"]["messages"]) == ([], 2)
    moved = await other.token("ann")
    assert [one[1] for one in await timeline(moved, (await general_of(moved))["id"])] == ["one", "two"]


async def test_what_several_write_stays_so_and_what_was_never_sent_stays_unsent(tenant: Tenant) -> None:
    await tenant.server("POST", "/api/moderation/word-list/entries", {"phrase": "hold", "action": "hold"})
    ann, _ = await tenant.users("ann", "bob")
    made = await ann.channel(type="group", name="drafts", memberIds=["bob"])
    path = f"/api/channels/{made['id']}/messages"
    sent = [
        (await ann.call("POST", path, body)).json()
        for body in (
            {"text": "shared", "textMode": "ot"},
            {"text": "merged", "textMode": "crdt"},
            {"text": "plain"},
            {"text": "hold it"},
            {"text": "hold that"},
        )
    ]
    await tenant.server("POST", f"/api/moderation/held/{sent[-1]['id']}/reject", {})
    _, lines = await exported(ann, "/api/users/me/export")
    said = [line for line in lines if line["kind"] == "message"]
    assert [(line["text"], line["textMode"], line["status"]) for line in said] == [
        ("shared", "ot", "sent"),
        ("merged", "crdt", "sent"),
        ("plain", None, "sent"),
        ("hold it", None, "held"),
        ("hold that", None, "rejected"),
    ]
    place = {"kind": "channel", "id": "there", "type": "group", "name": "there", "memberIds": ["ann", "bob"]}
    moved = [{**line, "channelId": "there", "id": f"old-{line['id'][-12:]}"} for line in said]
    other = await tenant.chat.new_tenant()
    bob = (await other.users("ann", "bob"))[1]
    wrong = {**moved[0], "id": "x", "type": "system"}

    shown = await imported(other, [place, *moved, wrong])

    assert [(one["line"], one["message"]) for one in shown["errors"]] == [
        (7, "Value error, textMode: a system message is the app's word alone; leave textMode out")
    ]
    there = f"/api/channels/{(await general_of(bob))['id']}/messages"
    messages = (await bob.call("GET", there)).json()["messages"]
    assert [(one["text"], one["textMode"]) for one in messages] == [
        ("shared", "ot"),
        ("merged", "crdt"),
        ("plain", None),
    ]
    path = f"{there}/{messages[0]['id']}"
    ops = [{"retain": 6}, {"insert": "!"}]
    operation = {"clientOpId": "o1", "baseVersion": messages[0]["version"], "ops": ops}
    written = await bob.call("POST", f"{path}/ops", operation)
    assert written.status_code in {200, 201}, written.text
    assert (await bob.call("GET", path)).json()["text"] == "shared!"
    merged = (await bob.call("GET", f"{there}/{messages[1]['id']}/ops?after=0")).json()
    assert (merged["textMode"], merged["snapshot"]["text"]) == ("crdt", "merged")
