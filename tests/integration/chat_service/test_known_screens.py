"""What is known of apps' screening: looked up once for many, anew in time, and still held when the database is away."""

import asyncio

import pytest

from chat_service.screening.known import KnownScreens
from chatsdk_contracts.ids import AppId, new_id
from chatsdk_runtime.encryption import Keyring
from chatsdk_runtime.postgres import DATABASE_AWAY
from tests.integration.chat_service.calling import MASTER_KEYS, Tenant
from tests.integration.chat_service.channel_rows import a_pool
from tests.waiting import wait_for


async def _list(tenant: Tenant, *phrases: str) -> None:
    entries = [{"phrase": phrase, "action": "mask"} for phrase in phrases]
    assert (await tenant.server("PUT", "/api/moderation/word-list", {"entries": entries})).status_code == 200


async def test_many_ask_and_one_looks_and_time_or_a_word_makes_it_look_again(
    tenant: Tenant, chat_database: str
) -> None:
    app_id = AppId(tenant.id)
    async with a_pool(chat_database) as pool:
        known = KnownScreens(pool, Keyring.parse(MASTER_KEYS), fresh_s=60.0)
        screens = await asyncio.gather(*(known.of(app_id) for _ in range(50)))
        assert all(screen is screens[0] for screen in screens)
        await _list(tenant, "psst")
        assert (await known.of(app_id)).is_plain, "nobody told this one"
        known.forget(app_id)
        assert not (await known.of(app_id)).is_plain

        quick = KnownScreens(pool, Keyring.parse(MASTER_KEYS), fresh_s=0.2)
        before = await quick.of(app_id)
        await _list(tenant)

        async def is_plain() -> bool:
            return (await quick.of(app_id)).is_plain

        assert not before.is_plain
        await wait_for(is_plain, what="the emptied list is noticed without a word")


async def test_a_list_is_made_ready_once_for_a_version(tenant: Tenant, chat_database: str) -> None:
    await _list(tenant, "psst")
    async with a_pool(chat_database) as pool:
        known = KnownScreens(pool, Keyring.parse(MASTER_KEYS), fresh_s=60.0)
        first = await known.of(AppId(tenant.id))
        known.forget()
        again = await known.of(AppId(tenant.id))
        assert again is not first
        assert again.lists is first.lists


async def test_while_the_database_is_away_what_was_known_last_holds(
    tenant: Tenant, chat_database: str
) -> None:
    await _list(tenant, "psst")
    app_id = AppId(tenant.id)
    async with a_pool(chat_database) as pool:
        known = KnownScreens(pool, Keyring.parse(MASTER_KEYS), fresh_s=60.0)
        before = await known.of(app_id)
        pool.terminate()
        known.forget()
        assert await known.of(app_id) is before
        with pytest.raises(DATABASE_AWAY):
            await known.of(AppId(new_id()))
