"""Transactions, partitions and migrations on a real PostgreSQL."""

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from chatsdk_contracts.ids import new_id
from chatsdk_runtime.migrations import current_revision, head_revision, migrate
from chatsdk_runtime.partitions import (
    DAYS_AHEAD,
    drop_partition,
    ensure_partitions,
    partition_days,
)
from chatsdk_runtime.postgres import DATABASE_AWAY, Pool, connect, open_pool, reading, transaction
from tests.fixtures.postgres import PostgresServer

TODAY = date(2026, 11, 23)


@pytest.fixture(scope="module", name="dsn")
def _dsn(postgres_server: PostgresServer) -> str:
    return postgres_server.create_database("runtime_postgres")


@pytest.fixture(scope="module", name="pool")
async def _pool(dsn: str) -> AsyncIterator[Pool]:
    pool = await open_pool(dsn, application_name="test-pool", min_size=1)
    yield pool
    await pool.close()


async def test_a_transaction_commits_at_its_end_and_rolls_back_on_an_error(pool: Pool) -> None:
    async with transaction(pool) as tx:
        await tx.execute("create table kept (value int)")
        await tx.execute("insert into kept values (1)")

    async def fail() -> None:
        async with transaction(pool) as tx:
            await tx.execute("insert into kept values (2)")
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    async with reading(pool) as connection:
        assert await connection.fetchval("select array_agg(value) from kept") == [1]


async def test_every_connection_has_limits_and_a_name(pool: Pool) -> None:
    async with reading(pool) as connection:
        for name, value in {
            "statement_timeout": "30s",
            "lock_timeout": "10s",
            "idle_in_transaction_session_timeout": "30s",
            "timezone": "UTC",
            "jit": "off",
            "application_name": "test-pool",
        }.items():
            assert await connection.fetchval("select current_setting($1)", name) == value


async def test_a_connection_that_the_server_ends_counts_as_an_outage(dsn: str) -> None:
    connection = await connect(dsn, application_name="ended")
    with pytest.raises(DATABASE_AWAY):
        await connection.execute("select pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(DATABASE_AWAY):
        await connection.execute("select 1")


async def test_partitions_are_made_once_and_take_exactly_their_days(pool: Pool) -> None:
    async with transaction(pool) as tx:
        await tx.execute("create table mark (event_id uuid primary key) partition by range (event_id)")
        assert await ensure_partitions(tx, ["mark"], today=TODAY) == DAYS_AHEAD + 2
        assert await ensure_partitions(tx, ["mark"], today=TODAY) == 0
        assert await ensure_partitions(tx, ["mark"], today=TODAY + timedelta(days=1)) == 1
    midnight_ms = int(datetime(2026, 11, 23, tzinfo=UTC).timestamp() * 1000)
    async with reading(pool) as connection:
        for at_ms, partition in (
            (midnight_ms - 1, "mark_y2026m11d22"),
            (midnight_ms, "mark_y2026m11d23"),
            (midnight_ms + 86_399_999, "mark_y2026m11d23"),
        ):
            event_id = uuid.UUID(new_id(at_ms))
            await connection.execute("insert into mark values ($1)", event_id)
            found = await connection.fetchval(
                "select tableoid::regclass::text from mark where event_id = $1", event_id
            )
            assert found == partition
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(
                "insert into mark values ($1)", uuid.UUID(new_id(midnight_ms - 2 * 86_400_000))
            )


async def test_a_partition_is_dropped_with_its_rows(pool: Pool) -> None:
    async with reading(pool) as connection:
        days = await partition_days(connection, "mark")
        assert days[0] == date(2026, 11, 22)
        await drop_partition(connection, "mark", days[0])
        assert await partition_days(connection, "mark") == days[1:]
        assert await connection.fetchval("select to_regclass('mark_y2026m11d22')") is None


async def test_a_drop_that_ended_halfway_is_finished_by_the_next(pool: Pool) -> None:
    async with reading(pool) as connection:
        day = (await partition_days(connection, "mark"))[0]
        name = f"mark_y{day:%Y}m{day:%m}d{day:%d}"
        await connection.execute(f"alter table mark detach partition {name} concurrently")
        assert day in await partition_days(connection, "mark")
        await drop_partition(connection, "mark", day)
        assert await connection.fetchval("select to_regclass($1)", name) is None
        assert day not in await partition_days(connection, "mark")
        await drop_partition(connection, "mark", day)


async def test_a_detachment_that_was_cancelled_is_finished_by_the_next(pool: Pool, dsn: str) -> None:
    async with reading(pool) as connection:
        day = (await partition_days(connection, "mark"))[0]
        reader = await connect(dsn, application_name="reader")
        begun = reader.transaction()
        await begun.start()
        await reader.fetch("select * from mark")
        dropping = await connect(dsn, application_name="dropping")
        await dropping.execute("set statement_timeout = '300ms'")
        with pytest.raises((asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError)):
            await drop_partition(dropping, "mark", day)
        await begun.rollback()
        for one in (reader, dropping):
            await one.close()
        await drop_partition(connection, "mark", day)
        assert day not in await partition_days(connection, "mark")


async def test_replicas_that_make_partitions_at_once_do_not_fail(pool: Pool) -> None:
    async with transaction(pool) as tx:
        await tx.execute("create table twice (event_id uuid primary key) partition by range (event_id)")

    async def make() -> int:
        async with transaction(pool) as tx:
            return await ensure_partitions(tx, ["twice"], today=TODAY)

    assert sum(await asyncio.gather(*(make() for _ in range(5)))) == DAYS_AHEAD + 2


async def test_migrating_twice_changes_nothing(postgres_server: PostgresServer) -> None:
    dsn = postgres_server.create_database("runtime_migrate_twice")
    head = head_revision("metrics_service")
    for _ in range(2):
        assert await migrate(dsn, "metrics_service", partitioned=["counted_event"]) == head
    connection = await connect(dsn, application_name="test")
    try:
        assert await current_revision(connection) == head
        assert len(await partition_days(connection, "counted_event")) == DAYS_AHEAD + 2
    finally:
        await connection.close()


async def test_migrations_that_start_at_once_run_one_after_the_other(
    postgres_server: PostgresServer,
) -> None:
    dsn = postgres_server.create_database("runtime_migrate_at_once")
    script = f"import asyncio; from chatsdk_runtime.migrations import migrate; asyncio.run(migrate({dsn!r}, 'metrics_service'))"
    started = [await asyncio.create_subprocess_exec(sys.executable, "-c", script) for _ in range(3)]
    assert [await one.wait() for one in started] == [0, 0, 0]


async def test_an_empty_database_has_no_revision(new_database: Callable[[str], str], dsn: str) -> None:
    connection = await connect(dsn, application_name="test")
    try:
        assert await current_revision(connection) is None
    finally:
        await connection.close()
    connection = await connect(new_database("metrics"), application_name="test")
    try:
        assert await current_revision(connection) == head_revision("metrics_service")
    finally:
        await connection.close()
