"""Leading, numbering and publishing change the same rows on connections of their own: none may lock out of order."""

import asyncio
from uuid import UUID

from chat_service.events import store
from chatsdk_contracts.ids import new_id
from chatsdk_runtime.postgres import Pool, reading, transaction
from tests.integration.chat_service.channel_rows import a_pool
from tests.waiting import wait_for

ALL = 16


async def waits_for_a_lock(pool: Pool) -> bool:
    async with reading(pool) as connection:
        found: bool = await connection.fetchval(
            "select exists (select from pg_stat_activity where datname = current_database()"
            " and wait_event_type = 'Lock')"
        )
        return found


async def test_a_watermark_that_waits_for_one_lane_holds_no_later_lane(chat_database: str) -> None:
    session = UUID(new_id())
    async with a_pool(chat_database) as pool:
        async with reading(pool) as connection:
            await store.lead_lanes(connection, session, 60.0, ALL)
        async with reading(pool) as publishing:
            async with transaction(pool) as numbering:
                await store.lock_lanes(numbering, [3], session)
                # The later lane first, as an order of dictionary keys may have it.
                moved = asyncio.create_task(store.move_published(publishing, session, {5: 1, 3: 1}))
                await wait_for(lambda: waits_for_a_lock(pool), what="publishing waits for lane 3")
                async with asyncio.timeout(5):
                    await store.lock_lanes(numbering, [5], session)
            await moved
        async with reading(pool) as connection:
            positions = {lane.lane: lane.published_pos for lane in await store.lane_positions(connection)}
        assert (positions[3], positions[5]) == (1, 1)
