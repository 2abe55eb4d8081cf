"""The batched writer on a real database: once, dense, alone in failure, patient with busy channels."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import orjson
import pytest
from structlog.testing import capture_logs

from chat_service.errors import NotAMember, Overloaded
from chat_service.reactions.rules import Reacting
from chatsdk_contracts.ids import ChannelId, MessageId, UserId, new_id
from chatsdk_runtime.errors import NotFound, ServiceError, Unavailable
from chatsdk_runtime.postgres import Pool
from tests.fixtures.postgres import PostgresServer
from tests.integration.chat_service.channel_rows import (
    a_channel,
    a_pool,
    a_send,
    an_app,
    rows,
    running_writer,
)
from tests.waiting import wait_for


@pytest.fixture
async def pool(chat_database: str) -> AsyncIterator[Pool]:
    async with a_pool(chat_database) as made:
        yield made


async def test_a_hundred_concurrent_identical_sends_are_one_message(pool: Pool, chat_database: str) -> None:
    app = await an_app(pool, ["ann"])
    channel = await a_channel(pool, app, ["ann"])

    async with running_writer(chat_database) as writer:
        sent = await asyncio.gather(*(writer.write(a_send(app, channel, "same")) for _ in range(100)))

    assert sum(not one.duplicate for one in sent) == 1
    assert len({one.data for one in sent}) == 1
    assert len(await rows(pool, "select id from message where channel_id = $1", UUID(channel))) == 1


async def test_seq_and_cv_are_dense_and_every_message_has_its_event(pool: Pool, chat_database: str) -> None:
    app = await an_app(pool, ["ann", "bob"])
    channels = [await a_channel(pool, app, ["ann", "bob"]) for _ in range(5)]

    async with running_writer(chat_database) as writer:
        await asyncio.gather(
            *(
                writer.write(a_send(app, channels[number % 5], f"m{number}", user=("ann", "bob")[number % 2]))
                for number in range(500)
            )
        )

    for channel in channels:
        stored = await rows(
            pool, "select id, seq, cv from message where channel_id = $1 order by seq", UUID(channel)
        )
        assert [row["seq"] for row in stored] == list(range(1, 101))
        assert [row["cv"] for row in stored] == list(range(1, 101))
        events = await rows(
            pool, "select version, body from event where channel_id = $1 order by version", UUID(channel)
        )
        told = [orjson.loads(row["body"])["data"]["id"] for row in events]
        assert told == [str(row["id"]) for row in stored]
        (head,) = await rows(
            pool, "select last_seq, cv, message_count from channel where id = $1", UUID(channel)
        )
        assert tuple(head) == (100, 100, 100)


async def test_refused_sends_do_not_harm_those_beside_them(pool: Pool, chat_database: str) -> None:
    app, other = await an_app(pool, ["ann"]), await an_app(pool, ["ann"])
    channel = await a_channel(pool, app, ["ann"])

    async with running_writer(chat_database, writers=1) as writer:
        results = await asyncio.gather(
            writer.write(a_send(app, channel, "good")),
            writer.write(a_send(app, channel, "stranger", user="eve")),
            writer.write(a_send(other, channel, "other-app")),
            writer.write(a_send(app, ChannelId(new_id()), "nowhere")),
            writer.write(a_send(app, channel, "good-too")),
            return_exceptions=True,
        )

    kinds = [type(result).__name__ for result in results]
    assert kinds == ["Sent", "NotAMember", "ChannelNotFound", "ChannelNotFound", "Sent"]
    assert isinstance(results[1], NotAMember)
    assert isinstance(results[2], NotFound)


async def test_one_send_that_the_database_refuses_fails_alone(pool: Pool, chat_database: str) -> None:
    app = await an_app(pool, ["ann"])
    channel = await a_channel(pool, app, ["ann"])

    # Captured, not printed: drawing two long tracebacks takes as long as a send may wait.
    with capture_logs() as logged:
        async with running_writer(chat_database, writers=1) as writer:
            results = await asyncio.gather(
                writer.write(a_send(app, channel, "a")),
                # Doors refuse NUL; here it stands for anything that PostgreSQL does not take.
                writer.write(a_send(app, channel, "b", text="nul \x00")),
                writer.write(a_send(app, channel, "c")),
                return_exceptions=True,
            )

    assert [one["event"] for one in logged] == ["write_batch_failed", "write_failed"]
    assert [type(result).__name__ for result in results] == ["Sent", "ServiceError", "Sent"]
    stored = await rows(pool, "select seq from message where channel_id = $1 order by seq", UUID(channel))
    assert [row["seq"] for row in stored] == [1, 2]


async def test_a_busy_channel_waits_and_others_do_not(pool: Pool, chat_database: str) -> None:
    app = await an_app(pool, ["ann"])
    busy, free = await a_channel(pool, app, ["ann"]), await a_channel(pool, app, ["ann"])

    async with running_writer(chat_database, writers=1) as writer, pool.acquire() as holder:
        hold = holder.transaction()
        await hold.start()
        await holder.execute("select from channel where id = $1 for update", UUID(busy))
        waiting = asyncio.create_task(writer.write(a_send(app, busy, "waits")))
        await writer.write(a_send(app, free, "passes"))
        assert not waiting.done()
        await hold.rollback()

        assert (await waiting).message.seq == 1


async def test_a_channel_that_stays_busy_is_told_so(pool: Pool, chat_database: str) -> None:
    app = await an_app(pool, ["ann"])
    busy = await a_channel(pool, app, ["ann"])

    async with running_writer(chat_database, writers=1) as writer, pool.acquire() as holder:
        hold = holder.transaction()
        await hold.start()
        await holder.execute("select from channel where id = $1 for update", UUID(busy))

        with pytest.raises(Unavailable) as refusal:
            await writer.write(a_send(app, busy, "in vain"))

        await hold.rollback()
    assert refusal.value.headers == {"Retry-After": "1"}


async def test_a_member_removed_under_the_lock_does_not_post(pool: Pool, chat_database: str) -> None:
    """The writer waits for the removal and then reads: what decides is never read before the lock."""
    app = await an_app(pool, ["ann"])
    channel = await a_channel(pool, app, ["ann"])

    async with running_writer(chat_database, writers=1) as writer, pool.acquire() as remover:
        removal = remover.transaction()
        await removal.start()
        await remover.execute("select from channel where id = $1 for no key update", UUID(channel))
        await remover.execute("delete from channel_member where channel_id = $1", UUID(channel))
        waiting = asyncio.create_task(writer.write(a_send(app, channel, "late")))
        await writer.write(a_send(app, await a_channel(pool, app, ["ann"]), "another round"))
        await removal.commit()

        with pytest.raises(NotAMember):
            await waiting


async def test_too_many_waiting_is_said_at_once(chat_database: str) -> None:
    async with a_pool(chat_database) as pool:
        app = await an_app(pool, ["ann"])
        channel = await a_channel(pool, app, ["ann"])
        async with running_writer(chat_database, writers=1, queue_limit=10) as writer:
            results = await asyncio.gather(
                *(writer.write(a_send(app, channel, f"m{number}")) for number in range(50)),
                return_exceptions=True,
            )

    refused = [result for result in results if isinstance(result, Overloaded)]
    assert 0 < len(refused) <= 40
    assert sum(not isinstance(result, ServiceError) for result in results) == 50 - len(refused)


async def test_sends_survive_a_restart_of_the_database(
    pool: Pool, chat_database: str, postgres_server: PostgresServer
) -> None:
    app = await an_app(pool, ["ann"])
    channel = await a_channel(pool, app, ["ann"])
    acknowledged: set[str] = set()

    async def send_until_acknowledged(client_id: str) -> None:
        async def tried() -> bool:
            try:
                sent = await writer.write(a_send(app, channel, client_id))
            except Unavailable:
                return False
            acknowledged.add(sent.message.id)
            return True

        await wait_for(tried, within_s=30, what=f"{client_id} is acknowledged")

    async with running_writer(chat_database) as writer:
        sends = [asyncio.create_task(send_until_acknowledged(f"m{number}")) for number in range(200)]
        await wait_for(lambda: len(acknowledged) > 0, what="the first acknowledgement")
        await asyncio.to_thread(postgres_server.restart)
        await asyncio.gather(*sends)

    async with a_pool(chat_database) as again:
        stored = await rows(
            again, "select id, seq from message where channel_id = $1 order by seq", UUID(channel)
        )
    assert {str(row["id"]) for row in stored} == acknowledged
    assert [row["seq"] for row in stored] == list(range(1, 201))


async def test_reactions_survive_a_restart_of_the_database(
    pool: Pool, chat_database: str, postgres_server: PostgresServer
) -> None:
    users = [f"u{number}" for number in range(100)]
    app = await an_app(pool, ["ann", *users])
    channel = await a_channel(pool, app, ["ann", *users])
    acknowledged: set[str] = set()

    async def react_until_acknowledged(message_id: MessageId, user: str) -> None:
        wanted = Reacting(app, channel, message_id, UserId(user), ":yes:", "add", None)

        async def tried() -> bool:
            try:
                await writer.react(wanted)
            except Unavailable:
                return False
            acknowledged.add(user)
            return True

        await wait_for(tried, within_s=30, what=f"the reaction of {user} is acknowledged")

    async with running_writer(chat_database) as writer:
        sent = await writer.write(a_send(app, channel, "m"))
        reacting = [asyncio.create_task(react_until_acknowledged(sent.message.id, user)) for user in users]
        await wait_for(lambda: len(acknowledged) > 0, what="the first acknowledgement")
        await asyncio.to_thread(postgres_server.restart)
        await asyncio.gather(*reacting)

    async with a_pool(chat_database) as again:
        (message,) = await rows(
            again, "select reaction_counts, cv from message where channel_id = $1", UUID(channel)
        )
        reacted = await rows(again, "select user_id from reaction where channel_id = $1", UUID(channel))
        events = await rows(
            again, "select version from event where channel_id = $1 order by version", UUID(channel)
        )
    assert {row["user_id"] for row in reacted} == set(users)
    assert orjson.loads(message["reaction_counts"]) == {":yes:": 100}
    assert [row["version"] for row in events] == list(range(1, 102))
    assert message["cv"] == 101
