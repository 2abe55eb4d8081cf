"""Somebody is erased while the service dies: their words are in none of the three databases and in no queue."""

import asyncio
from typing import Any

import aio_pika
import asyncpg

from chatsdk_contracts.topology import METRICS_QUEUE, PLAN_QUEUE
from tests.fixtures.callers import AppCaller
from tests.fixtures.receiver import Receiver
from tests.fixtures.services import Stack
from tests.waiting import wait_for

WORD = "heidelbeerquark"
MESSAGES = 60
ALL_TABLES = """
select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition
"""


async def tables_with(stack: Stack, word: str) -> list[str]:
    """Tables of all services in which a word stands, as text or inside bytes."""
    found = []
    for service, url in stack.databases.items():
        connection = await asyncpg.connect(url)
        try:
            for row in await connection.fetch(ALL_TABLES):
                count = await connection.fetchval(
                    f'select count(*) from "{row["relname"]}" as t where position($1 in t::text) > 0'
                    " or position(encode(convert_to($1, 'utf8'), 'hex') in t::text) > 0",
                    word,
                )
                found += [f"{service}.{row['relname']}"] if count else []
        finally:
            await connection.close()
    return sorted(found)


async def waiting_in_queues(stack: Stack) -> int:
    """Messages that the broker still holds."""
    connection = await aio_pika.connect(stack.broker)
    async with connection:
        channel = await connection.channel()
        counts = []
        for name in (PLAN_QUEUE, METRICS_QUEUE, f"{PLAN_QUEUE}.dlq", f"{METRICS_QUEUE}.dlq"):
            queue = await channel.get_queue(name)
            counts.append((await queue.declare()).message_count or 0)
        return sum(counts)


async def erasure_of(app: AppCaller, erasure_id: str) -> dict[str, Any]:
    reply = await app.call("GET", f"/api/erasures/{erasure_id}")
    return reply.body if reply.status == 200 else {"status": "unknown"}


async def test_an_erased_users_words_are_nowhere_though_the_service_was_killed(stack: Stack) -> None:
    app = await stack.new_app()
    channel = await app.channel("ann", "ben", name="ours")
    await app.ok("PATCH", "/api/users/me", {"name": WORD, "custom": {"a": WORD}}, user="ann")
    async with Receiver() as receiver:
        webhook = await app.webhook(receiver.url + "/hook")
        await asyncio.gather(
            *(
                app.send(channel, "ann", f"{WORD} {number}", clientMsgId=f"{WORD}-{number}")
                for number in range(MESSAGES)
            )
        )
        theirs = (await app.send(channel, "ben", "kept")).body["id"]
        path = f"/api/channels/{channel}/messages/{theirs}"
        await app.ok("POST", f"{path}/reactions", {"type": f":{WORD}:"}, user="ann")
        await receiver.wait_for(MESSAGES + 2, 20)
        assert {"chat.event", "chat.message", "webhooks.event_body"} <= set(await tables_with(stack, WORD))

        asked = await app.ok("POST", "/api/users/ann/erase", {})
        await stack.chat.kill()
        await stack.chat.start()

        async def is_done() -> bool:
            return bool((await erasure_of(app, asked["id"]))["status"] == "done")

        async def is_nowhere() -> bool:
            return await tables_with(stack, WORD) == []

        await wait_for(is_done, 30, "the erasure done")
        await wait_for(is_nowhere, 15, "the word to be nowhere")
        counts = (await erasure_of(app, asked["id"]))["counts"]
        assert (counts["messages"], counts["reactions"]) == (MESSAGES, 1)
        assert counts["events"] > MESSAGES
        await wait_for(lambda: any(one.event["type"] == "user.erased" for one in receiver.received), 10)
        assert await waiting_in_queues(stack) == 0
        kept = await app.ok("GET", path, user="ben")
        assert (kept["text"], kept["reactionCounts"]) == ("kept", {})
        statuses = {delivery["status"] for delivery in await app.deliveries(webhook["id"])}
        assert statuses <= {"succeeded", "pending", "delivering"}
