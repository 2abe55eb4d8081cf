"""What chat takes out of its log goes here as well: bodies, echoes, parked events; deliveries keep their outcome."""

from uuid import UUID

import asyncpg

from chatsdk_contracts.ids import DeliveryId, EventId, WebhookId, delivery_id, new_id
from chatsdk_runtime.postgres import reading
from chatsdk_runtime.redactions import RedactionReader
from chatsdk_runtime.service_client import ChatClient
from tests.fixtures.dispatcher import SERVICE_TOKEN, ChatStandIn
from webhook_dispatcher.dispatch import store
from webhook_dispatcher.dispatch.deliver import BodyCache
from webhook_dispatcher.dispatch.expunge import Expunger

SAID, LEFT = b'{"data":{"text":"gone"}}', b'{"data":{"text":""}}'


async def deliver(pool: "asyncpg.Pool[asyncpg.Record]", event_id: str, webhook_id: str) -> DeliveryId:
    """A delivery that was sent, whose receiver sent back what it got."""
    made = delivery_id(EventId(event_id), WebhookId(webhook_id))
    await pool.execute(
        "insert into event_body values ($1, 'app', 'message.new', null, $2) on conflict do nothing",
        UUID(event_id),
        SAID,
    )
    await pool.execute(
        "insert into delivery (id, webhook_id, app_id, event_id, event_type, order_no, status, attempts)"
        " values ($1, $2, 'app', $3, 'message.new', 1, 'succeeded', 1)",
        UUID(made),
        UUID(webhook_id),
        UUID(event_id),
    )
    await pool.execute(
        "insert into attempt values ($1, 1, 'first', 'ok', 200, null, '{}', $2, 1.0, now())", UUID(made), SAID
    )
    return made


async def test_copies_follow_the_log_once_the_event_was_planned(webhooks_database: str) -> None:
    event_id, other_id, webhook_id = new_id(), new_id(), new_id()
    bodies = BodyCache()
    bodies.put(event_id, SAID)
    async with asyncpg.create_pool(webhooks_database, min_size=1, max_size=2) as pool, ChatStandIn() as chat:
        sent, untouched = [await deliver(pool, one, webhook_id) for one in (event_id, other_id)]
        await pool.execute(
            "insert into parked_event values ($1, 'q', 'why', 3, 7, $2, now())",
            "lane 3",
            SAID + event_id.encode(),
        )
        chat.redactions = [(4, event_id, 3, 7, LEFT.decode()), (9, new_id(), None, None, None)]
        client = ChatClient(chat.url, SERVICE_TOKEN)
        await client.open()
        try:
            expunger = Expunger(pool, bodies)

            async def planned() -> dict[int, int]:
                async with reading(pool) as connection:
                    return await store.read_lanes(connection)

            reader = RedactionReader(
                client,
                read_handled=planned,
                read_followed=expunger.followed,
                follow=expunger.follow,
                interval_s=1.0,
            )
            assert not await reader.step()
            assert (
                await pool.fetchval("select body from event_body where event_id = $1", UUID(event_id)) == SAID
            )
            await pool.execute("update lane_position set pos = 7 where lane = 3")

            assert await reader.step()
            assert not await reader.step()
        finally:
            await client.close()

        assert await pool.fetchval("select body from event_body where event_id = $1", UUID(event_id)) == LEFT
        assert bodies.get(event_id) is None
        parked = await pool.fetchval("select body from parked_event where event_id = 'lane 3'")
        assert parked == LEFT
        rows = await pool.fetch(
            "select delivery_id, status, response_body from attempt join delivery on delivery.id = delivery_id"
            " where webhook_id = $1",
            UUID(webhook_id),
        )
        kept = {str(row["delivery_id"]): (row["status"], row["response_body"]) for row in rows}
        assert kept == {sent: ("succeeded", None), untouched: ("succeeded", SAID)}
        assert await expunger.followed() == 9
