"""Old days are dropped whole, but never one that holds, or is younger than, an unfinished delivery."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg

from chatsdk_contracts.ids import new_id
from chatsdk_runtime.partitions import ensure_partitions, partition_days
from chatsdk_runtime.postgres import reading, transaction
from webhook_dispatcher.housekeeping import PARTITIONED, drop_old_days


async def test_days_past_their_time_go_and_days_with_something_unfinished_stay(
    webhooks_database: str,
) -> None:
    today = datetime.now(UTC).date()
    limit = today - timedelta(days=30)
    async with asyncpg.create_pool(webhooks_database, min_size=1, max_size=2) as pool:
        for age in (40, 35, 31):
            async with transaction(pool) as tx:
                await ensure_partitions(tx, PARTITIONED, today=today - timedelta(days=age), days_ahead=0)
        at = datetime.now(UTC) - timedelta(days=35)
        await pool.execute(
            "insert into due_delivery (delivery_id, webhook_id, event_id, event_type, order_no)"
            " values ($1, $2, $1, 'message.new', 1)",
            UUID(new_id(int(at.timestamp() * 1000))),
            uuid4(),
        )
        dropped = await drop_old_days(pool, before=limit)
        assert dropped == [today - timedelta(days=41), today - timedelta(days=40), today - timedelta(days=36)]
        await pool.execute("delete from due_delivery")
        assert await drop_old_days(pool, before=limit) == [
            today - timedelta(days=age) for age in (35, 32, 31)
        ]
        async with reading(pool) as connection:
            for table in PARTITIONED:
                assert min(await partition_days(connection, table)) == today - timedelta(days=1)
