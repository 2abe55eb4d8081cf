"""Truncation on a real database: hidden at once, wiped in chunks, counted right; and limits of sends in SQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from chat_service.channels.sweep import Sweep
from chat_service.errors import SlowMode
from chat_service.messages.writer import MessageWriter
from chatsdk_contracts.ids import AppId, ChannelId, MessageId
from chatsdk_contracts.messages import Message
from chatsdk_runtime.errors import InvalidInput
from tests.integration.chat_service.calling import Caller, Tenant, error_code
from tests.integration.chat_service.channel_rows import a_send, running_writer

SECRET = "a word that must be gone"


@pytest.fixture
async def writer(chat_database: str) -> AsyncIterator[MessageWriter]:
    async with running_writer(chat_database) as made:
        yield made


async def say(
    writer: MessageWriter, tenant: Tenant, channel_id: str, client_id: str, **fields: Any
) -> Message:
    send = a_send(AppId(tenant.id), ChannelId(channel_id), client_id, SECRET)
    return (await writer.write(replace(send, **fields))).message


async def texts(caller: Caller, channel_id: str, query: str = "") -> list[int]:
    page = (await caller.call("GET", f"/api/channels/{channel_id}/messages{query}")).json()
    return [message["seq"] for message in page["messages"]]


async def sweep(tenant: Tenant) -> None:
    sweeper = Sweep(tenant.chat.resources.pool, epoch=1, wake_relay=lambda: None)
    while await sweeper.step():
        pass


async def copies_of_the_secret(tenant: Tenant, channel_id: str) -> int:
    rows = await tenant.chat.sql(
        "select (select count(*) from message where channel_id = $1::uuid and text = $2)"
        " + (select count(*) from event where channel_id = $1::uuid"
        "    and position($2::text in convert_from(body, 'utf8')) > 0) as count",
        channel_id,
        SECRET,
    )
    return int(rows[0]["count"])


async def test_a_truncated_history_is_shown_to_nobody(tenant: Tenant, writer: MessageWriter) -> None:
    ann, bob = await tenant.users("ann", "bob")
    made = await ann.channel(type="group", memberIds=["bob"])
    sent = [await say(writer, tenant, made["id"], f"c{number}") for number in range(5)]
    reply = await say(writer, tenant, made["id"], "r", parent_id=sent[1].id)
    path = f"/api/channels/{made['id']}"
    refused = await bob.call("POST", f"{path}/truncate", {})
    assert (refused.status_code, error_code(refused)) == (403, "role_too_low")

    told = (await ann.call("POST", f"{path}/truncate", {"beforeSeq": 3})).json()

    assert (told["truncatedSeq"], told["truncatedBy"], told["messageCount"]) == (3, "ann", 2)
    for query in ("", "?since_seq=0", f"?before={sent[4].id}&limit=200"):
        assert set(await texts(ann, made["id"], query)) <= {4, 5}, query
    page = (await ann.call("GET", f"{path}/messages")).json()
    assert (page["truncatedSeq"], page["maxSeq"], page["hasMore"]) == (3, 5, False)
    for message in (sent[0], sent[2], reply):
        for method, body in (("GET", None), ("PATCH", {"text": "x"}), ("DELETE", None)):
            response = await ann.call(method, f"{path}/messages/{message.id}", body)
            assert response.status_code == 404, (method, message.seq)
    assert (await ann.call("GET", f"{path}/messages/{sent[3].id}")).status_code == 200
    with pytest.raises(InvalidInput):
        await say(writer, tenant, made["id"], "late", parent_id=sent[0].id)
    with pytest.raises(InvalidInput):
        await say(writer, tenant, made["id"], "quote", reply_to_id=reply.id)
    shown = (await bob.call("GET", path)).json()
    assert (shown["unreadCount"], shown["lastMessage"]["seq"]) == (2, 5)
    event = (await tenant.events(f"channels/{made['id']}"))[-1]
    assert (event["type"], event["data"]["truncatedSeq"], event["sequence"]) == (
        "channel.truncated",
        3,
        str(told["cv"]),
    )


async def test_truncating_again_or_less_changes_nothing(tenant: Tenant, writer: MessageWriter) -> None:
    ann = await tenant.user("ann")
    made = await ann.channel(type="group")
    for number in range(3):
        await say(writer, tenant, made["id"], f"c{number}")
    path = f"/api/channels/{made['id']}/truncate"
    answers = await asyncio.gather(*(ann.call("POST", path, {}) for _ in range(5)))
    answers.append(await ann.call("POST", path, {"beforeSeq": 1}))
    assert {answer.json()["truncatedSeq"] for answer in answers} == {3}
    types = [event["type"] for event in await tenant.events(f"channels/{made['id']}")]
    assert types.count("channel.truncated") == 1
    shown = (await ann.call("GET", f"/api/channels/{made['id']}")).json()
    assert (shown["messageCount"], shown["lastMessageAt"], shown["lastMessage"]) == (0, None, None)
    assert (await say(writer, tenant, made["id"], "next")).seq == 4
    assert await texts(ann, made["id"]) == [4]


async def test_a_hard_truncation_wipes_rows_and_log_and_keeps_client_ids(
    tenant: Tenant, writer: MessageWriter
) -> None:
    ann = await tenant.user("ann")
    made = await ann.channel(type="group")
    sent = [await say(writer, tenant, made["id"], f"c{number}") for number in range(5)]
    await asyncio.gather(*(say(writer, tenant, made["id"], f"c{number}") for number in range(5, 1_200)))
    await asyncio.gather(
        *(say(writer, tenant, made["id"], f"r{n}", parent_id=MessageId(sent[3].id)) for n in range(600))
    )
    path = f"/api/channels/{made['id']}/truncate"
    await ann.call("POST", path, {"beforeSeq": 1_100})
    await sweep(tenant)
    assert await copies_of_the_secret(tenant, made["id"]) == 2 * 1_800
    await ann.call("POST", path, {"beforeSeq": 1_100, "hard": True})

    await sweep(tenant)

    assert await copies_of_the_secret(tenant, made["id"]) == 2 * 100
    again = await writer.write(a_send(AppId(tenant.id), ChannelId(made["id"]), "c0", SECRET))
    assert (again.duplicate, again.message.type, again.message.text) == (True, "deleted", "")
    (row,) = await tenant.chat.sql(
        "select purge_seq, purged_seq from channel where id = $1::uuid", made["id"]
    )
    assert tuple(row) == (1_100, 1_100)


async def test_a_hard_truncation_takes_along_all_that_others_keep_about_messages(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    made = await ann.channel(type="group")
    messages = f"/api/channels/{made['id']}/messages"
    kept, gone = [
        (await ann.call("POST", messages, {"text": SECRET})).json()["id"] for _ in ("edited", "deleted")
    ]
    poll = {"question": SECRET, "options": [{"id": "y", "text": SECRET}, {"id": "n", "text": "no"}]}
    for method, path, body in (
        ("PATCH", f"/{kept}", {"text": f"{SECRET}, again"}),
        ("POST", f"/{kept}/reactions", {"type": "👍"}),
        ("POST", f"/{kept}/pin", None),
        ("POST", f"/{kept}/save", None),
        ("POST", f"/{kept}/polls", poll),
        ("DELETE", f"/{gone}", None),
    ):
        assert (await ann.call(method, messages + path, body)).status_code < 300, path

    await ann.call("POST", f"/api/channels/{made['id']}/truncate", {"hard": True})
    await sweep(tenant)

    assert await details_of(tenant, made["id"]) == 0
    assert await copies_of_the_secret(tenant, made["id"]) == 0
    [row] = await tenant.chat.sql(
        "select count(*) as told from event where channel_id = $1::uuid"
        " and position('that must be gone' in convert_from(body, 'utf8')) > 0",
        made["id"],
    )
    assert row["told"] == 0


async def details_of(tenant: Tenant, channel_id: str) -> int:
    """Rows that belong to messages of the channel, in every table that has such."""
    tables = ("message_history", "deleted_content", "reaction", "saved_message", "poll", "upload_link")
    counts = " + ".join(
        f"(select count(*) from {table} where message_id in (select id from of_channel))" for table in tables
    )
    rows = await tenant.chat.sql(
        f"with of_channel as (select id from message where channel_id = $1::uuid) select {counts} as count",
        channel_id,
    )
    return int(rows[0]["count"])


async def test_truncation_is_for_owners_admins_and_servers_of_the_app(tenant: Tenant) -> None:
    ann, eve = await tenant.users("ann", "eve")
    public, private = await ann.channel(type="public"), await ann.channel(type="private")
    others = await tenant.chat.new_tenant()
    path = f"/api/channels/{public['id']}/truncate"
    assert (await tenant.chat.call("POST", path, {})).status_code == 401
    assert (await eve.call("POST", path, {})).status_code == 403
    assert (await eve.call("POST", f"/api/channels/{private['id']}/truncate", {})).status_code == 404
    assert (await others.server("POST", path, {})).status_code == 404
    assert (await tenant.server("POST", path, {})).status_code == 200
    assert (await ann.call("POST", path, {"beforeSeq": 0})).status_code == 422


async def test_slow_mode_is_kept_over_batches_and_members(tenant: Tenant, writer: MessageWriter) -> None:
    ann, bob = await tenant.users("ann", "bob")
    made = await ann.channel(type="group", memberIds=["bob"], config={"slowModeS": 60})
    results = await asyncio.gather(
        *(
            writer.write(a_send(AppId(tenant.id), ChannelId(made["id"]), f"b{number}", user=bob.id))
            for number in range(5)
        ),
        return_exceptions=True,
    )
    refused = [result for result in results if isinstance(result, SlowMode)]
    assert len(refused) == 4
    assert all(1 <= int(refusal.headers["Retry-After"]) <= 60 for refusal in refused)
    await say(writer, tenant, made["id"], "a1")
    await say(writer, tenant, made["id"], "a2")
    await tenant.chat.sql(
        "update channel_member set last_sent_at = last_sent_at - interval '60 s'"
        " where channel_id = $1::uuid and user_id = 'bob'",
        made["id"],
    )
    assert (
        await writer.write(a_send(AppId(tenant.id), ChannelId(made["id"]), "b9", user=bob.id))
    ).duplicate is False


async def test_a_channel_sets_the_length_of_sends_and_edits(tenant: Tenant, writer: MessageWriter) -> None:
    ann = await tenant.user("ann")
    made = await ann.channel(type="group", config={"maxMessageLength": 40})
    sent = await say(writer, tenant, made["id"], "c1")
    with pytest.raises(InvalidInput):
        await say(writer, tenant, made["id"], "c2", text="x" * 41)
    path = f"/api/channels/{made['id']}/messages/{sent.id}"
    refused = await ann.call("PATCH", path, {"text": "x" * 41})
    assert (refused.status_code, refused.json()["error"]["details"][0]["path"]) == (422, "text")
    assert (await ann.call("PATCH", path, {"text": "x" * 40})).status_code == 200
