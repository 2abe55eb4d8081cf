"""The index beside the log: it keeps up, takes nothing twice, loses nothing, and is rebuilt."""

import asyncio
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from chat_service.instruments import SearchInstruments
from chat_service.search import indexer
from chatsdk_contracts.ids import new_id
from chatsdk_runtime.loops import BackgroundLoops
from chatsdk_runtime.postgres import DATABASE_AWAY, reading, transaction
from tests.integration.chat_service.calling import Chat
from tests.integration.chat_service.events.test_feed import number_and_publish
from tests.integration.chat_service.search.room import Room, found, indexed, texts
from tests.waiting import wait_for


async def test_steps_taken_at_once_and_again_index_everything_once(room: Room, chat: Chat) -> None:
    for number in range(20):
        await room.send(f"parallel {number}")
    await number_and_publish(chat.resources)

    async def step() -> int:
        async with transaction(chat.resources.pool) as tx:
            return await indexer.index_step(tx)

    taken = await asyncio.gather(*(step() for _ in range(4)))
    assert sum(taken) > 0
    assert sorted(taken)[:-1] == [0, 0, 0]
    assert await step() == 0
    # From the beginning once more, as after a restored database: the same rows.
    await chat.sql("update search_position set pos = 0")
    assert await step() > 0
    assert (await found(room.ann, "parallel"))["totalHits"] == 20


async def test_a_step_that_is_rolled_back_is_taken_again(room: Room, chat: Chat) -> None:
    await room.send("persistent")
    await number_and_publish(chat.resources)

    async def fail_behind_it() -> None:
        async with transaction(chat.resources.pool) as tx:
            assert await indexer.index_step(tx) > 0
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_behind_it()
    assert texts(await found(room.ann, "persistent")) == []
    await indexed(chat)
    assert texts(await found(room.ann, "persistent")) == ["persistent"]


async def test_a_held_message_is_not_indexed_by_a_rebuild(room: Room, chat: Chat) -> None:
    sent = await room.send("held")
    await chat.sql("update message set seq = null where id = $1", UUID(sent["id"]))
    async with reading(chat.resources.pool) as connection:
        await indexer.rebuild(connection)
    assert await chat.sql("select from message_search where message_id = $1", UUID(sent["id"])) == []
    assert texts(await found(room.tenant, "held")) == []


async def test_a_thread_reply_is_found(room: Room, chat: Chat) -> None:
    parent = await room.send("parent")
    await room.send("a reply", parentId=parent["id"])
    await indexed(chat)
    [result] = (await found(room.bob, "reply"))["results"]
    assert (result["text"], result["seq"]) == ("a reply", None)


async def test_a_rebuild_brings_what_is_missing_and_takes_what_is_too_much(room: Room, chat: Chat) -> None:
    sent = await room.send("rebuilt")
    await indexed(chat)
    await chat.sql("delete from message_search where message_id = $1", UUID(sent["id"]))
    stray = UUID(new_id())
    await chat.sql(
        "insert into message_search select $1, $2, $3, 'ann', 1, now(), false, 'stray:1', '{}'",
        stray,
        UUID(room.tenant.id),
        UUID(room.id),
    )
    async with reading(chat.resources.pool) as connection:
        assert await indexer.rebuild(connection) > 0
    assert texts(await found(room.ann, "rebuilt")) == ["rebuilt"]
    assert await chat.sql("select from message_search where message_id = $1", stray) == []


async def test_the_loop_follows_the_log_and_says_how_far_behind_it_is(room: Room, chat: Chat) -> None:
    registry = CollectorRegistry()
    instruments = SearchInstruments(registry)
    loops = BackgroundLoops(outages=DATABASE_AWAY)
    loops.start("index", lambda heartbeat: indexer.index_log(chat.resources.pool, instruments, heartbeat))
    try:
        await room.send("followed")
        await number_and_publish(chat.resources)

        async def is_found() -> bool:
            return texts(await found(room.ann, "followed")) == ["followed"]

        await wait_for(is_found, 5, "the message is found")
        await wait_for(
            lambda: registry.get_sample_value("chatsdk_search_backlog_events") == 0, 5, "no backlog"
        )
    finally:
        await loops.stop()
    assert loops.failure is None
    assert (registry.get_sample_value("chatsdk_search_indexed_events_total") or 0) > 0
    assert b"chatsdk_search_backlog_events 0.0" in generate_latest(registry)
