"""Old days leave the event log, but none that holds what the broker has not confirmed; replicas take turns."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from chat_service import maintenance
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.partitions import day_bound, partition_days, partition_name
from chatsdk_runtime.postgres import Pool, reading
from tests.integration.chat_service.channel_rows import a_pool
from tests.waiting import wait_for


async def add_day(pool: Pool, day: date, *, lane_pos: int | None) -> None:
    """A partition of that day with one event; position 1 is published, none is not."""
    low, high = day_bound(day), day_bound(day + timedelta(days=1))
    await pool.execute(
        f"create table {partition_name('event', day)} partition of event for values from ('{low}') to ('{high}')"
    )
    await pool.execute(
        "insert into event (id, app_id, type, subject, lane, lane_pos, body) values ($1, $1, 't', 's', 0, $2, 'b')",
        UUID(int=low.int + 1),
        lane_pos,
    )


async def days(pool: Pool) -> list[date]:
    """The days that have a partition."""
    async with reading(pool) as connection:
        return await partition_days(connection, "event")


async def test_only_published_days_past_their_time_are_dropped_by_any_number_of_replicas(
    chat_database: str,
) -> None:
    today = datetime.now(UTC).date()
    published, waiting, young = (today - timedelta(days=age) for age in (33, 32, 30))
    async with a_pool(chat_database) as pool:
        await pool.execute("update relay_lane set published_pos = 1 where lane = 0")
        await add_day(pool, published, lane_pos=1)
        await add_day(pool, waiting, lane_pos=None)
        await add_day(pool, young, lane_pos=1)

        replicas = [
            asyncio.create_task(maintenance.maintain(pool, Heartbeat(f"maintenance-{number}", 60)))
            for number in range(3)
        ]
        try:

            async def dropped() -> bool:
                return published not in await days(pool)

            await wait_for(dropped, what="the published day is gone")
            assert not [replica for replica in replicas if replica.done()]
        finally:
            for replica in replicas:
                replica.cancel()
            await asyncio.gather(*replicas, return_exceptions=True)

        left = await days(pool)
    assert waiting in left
    assert young in left
    assert today + timedelta(days=7) in left
