"""`Idempotency-Key`: one effect per key, also for calls at the same time."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from chatsdk_runtime.encryption import Keyring
from chatsdk_runtime.errors import Conflict, IdempotencyMismatch
from chatsdk_runtime.idempotency import Answer, IdempotentCall, fetch_answer, forget_expired, perform
from chatsdk_runtime.postgres import Connection, Pool, Transaction, open_pool, reading, transaction
from tests.fixtures.postgres import PostgresServer

KEYRING = Keyring.parse("k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")

# What each service that uses the module brings in its first revision.
TABLE = """
create table if not exists idempotency_key (
  scope text not null,
  key text not null,
  fingerprint bytea not null,
  status_code smallint not null,
  key_id text not null,
  answer bytea not null,
  created_at timestamptz not null default now(),
  primary key (scope, key)
)
"""


@pytest.fixture(scope="module", name="pool")
async def _pool(postgres_server: PostgresServer) -> AsyncIterator[Pool]:
    pool = await open_pool(
        postgres_server.create_database("runtime_idempotency"), application_name="test", max_size=20
    )
    async with transaction(pool) as tx:
        await tx.execute(TABLE)
        await tx.execute("create table effect (number int generated always as identity)")
    yield pool
    await pool.close()


async def insert_one(tx: Transaction) -> Answer:
    number = await tx.fetchval("insert into effect default values returning number")
    return Answer(b'{"secret": "whsec_%d"}' % number, 201)


async def effects(pool: Pool) -> int:
    async with reading(pool) as connection:
        return int(await connection.fetchval("select count(*) from effect"))


def call(key: str, fingerprint: bytes = b"one", scope: str = "app-1") -> IdempotentCall:
    return IdempotentCall(scope, key, fingerprint)


async def test_calls_with_one_key_at_the_same_time_have_one_effect(pool: Pool) -> None:
    before = await effects(pool)
    answers = await asyncio.gather(*(perform(pool, KEYRING, call("same"), insert_one) for _ in range(20)))
    assert await effects(pool) == before + 1
    assert len({bytes(answer.body) for answer in answers}) == 1
    assert {answer.status_code for answer in answers} == {201}
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert {answer.headers.get("idempotent-replayed", "true") for answer in answers} == {"true"}


async def test_an_answer_that_is_read_anew_is_not_kept(pool: Pool) -> None:
    async def read_anew(connection: Connection) -> bytes:
        return b"%d" % await connection.fetchval("select count(*) from effect")

    first = await perform(pool, KEYRING, call("anew"), insert_one, read_anew)
    again = await perform(pool, KEYRING, call("anew"), insert_one, read_anew)
    async with reading(pool) as connection:
        kept = await fetch_answer(connection, KEYRING, call("anew"))

    assert (first.status_code, b"whsec_" in first.body) == (201, True)
    assert (again.status_code, again.body) == (201, b"%d" % await effects(pool))
    assert again.headers["idempotent-replayed"] == "true"
    assert kept == Answer(b"", 201)


async def test_the_same_key_with_another_request_is_a_mismatch(pool: Pool) -> None:
    await perform(pool, KEYRING, call("reused"), insert_one)
    before = await effects(pool)
    with pytest.raises(IdempotencyMismatch):
        await perform(pool, KEYRING, call("reused", b"two"), insert_one)
    assert await effects(pool) == before


async def test_the_same_key_of_another_caller_is_another_key(pool: Pool) -> None:
    before = await effects(pool)
    await perform(pool, KEYRING, call("shared"), insert_one)
    await perform(pool, KEYRING, call("shared", scope="app-2"), insert_one)
    assert await effects(pool) == before + 2


async def test_calls_without_a_key_are_all_performed(pool: Pool) -> None:
    before = await effects(pool)
    for _ in range(2):
        await perform(pool, KEYRING, None, insert_one)
    assert await effects(pool) == before + 2


async def test_a_refusal_is_not_kept(pool: Pool) -> None:
    async def refuse(tx: Transaction) -> Answer:
        await insert_one(tx)
        raise Conflict("not now")

    before = await effects(pool)
    with pytest.raises(Conflict):
        await perform(pool, KEYRING, call("refused"), refuse)
    assert await effects(pool) == before
    assert (await perform(pool, KEYRING, call("refused"), insert_one)).status_code == 201


async def test_an_answer_is_stored_encrypted(pool: Pool) -> None:
    await perform(pool, KEYRING, call("sealed"), insert_one)
    async with reading(pool) as connection:
        stored = await connection.fetchval("select answer from idempotency_key where key = 'sealed'")
    assert b"whsec_" not in stored


async def test_a_key_past_its_lifetime_is_new_again_and_forgotten(pool: Pool) -> None:
    for key in ("old", "older"):
        await perform(pool, KEYRING, call(key), insert_one)
    async with transaction(pool) as tx:
        await tx.execute(
            "update idempotency_key set created_at = now() - interval '8 days' where key like 'old%'"
        )
    before = await effects(pool)
    await perform(pool, KEYRING, call("old", b"two"), insert_one)
    assert await effects(pool) == before + 1
    async with reading(pool) as connection:
        assert await forget_expired(connection) == 1
        assert await forget_expired(connection) == 0
