"""Leading, numbering and publishing change the same rows on connections of their own: none may lock out of order."""

import asyncio
from uuid import UUID

from chat_service.events import store
from chatsdk_contracts.ids import new_id
from chatsdk_runtime.postgres import Pool, reading, transaction
from tests.integration.chat_service.channel_rows import a_pool
from tests.waiting import wait_for

ALL = 16
_EVERYTHING = UUID(int=0)
_EVENTS = """
insert into event (id, app_id, type, subject, version, lane, body)
select waiting.id, waiting.id, 'user.updated', 'users/ann', 1, waiting.lane, ''
from unnest($1::uuid[], $2::smallint[]) as waiting (id, lane)
"""


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
        await pool.execute(_EVENTS, [UUID(new_id()), UUID(new_id())], [3, 5])
        async with reading(pool) as connection:
            await store.lead_lanes(connection, session, 60.0, ALL)
        async with reading(pool) as publishing:
            async with transaction(pool) as numbering:
                assert await store.lock_unnumbered(numbering, [3], session, _EVERYTHING)
                # The later lane first, as an order of dictionary keys may have it.
                moved = asyncio.create_task(store.move_published(publishing, session, {5: 1, 3: 1}))
                await wait_for(lambda: waits_for_a_lock(pool), what="publishing waits for lane 3")
                async with asyncio.timeout(5):
                    assert await store.lock_unnumbered(numbering, [5], session, _EVERYTHING)
            await moved
        async with reading(pool) as connection:
            positions = {lane.lane: lane.published_pos for lane in await store.lane_positions(connection)}
        assert (positions[3], positions[5]) == (1, 1)
