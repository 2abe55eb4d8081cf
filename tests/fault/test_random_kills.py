"""SIGKILL at no particular place: services one after another, the broker, the database. Nothing is lost."""

import asyncio
import os
import random
from collections.abc import AsyncIterator

import pytest

from tests.fault.loads import RATE, Load
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.rabbitmq import RabbitServer
from tests.fixtures.services import Stack
from tests.fixtures.slot import Slot

KILLS = 6
# More of them, for a longer search: CHATSDK_TEST_SEEDS=1,2,3
SEEDS = [int(seed) for seed in os.environ.get("CHATSDK_TEST_SEEDS", "1").split(",")]


@pytest.fixture
async def durable_postgres(slot: Slot, postgres_server: PostgresServer) -> AsyncIterator[PostgresServer]:
    """The server with its durability on, as in real life."""
    slot.instance.postgres.fsync = True
    await asyncio.to_thread(postgres_server.restart)
    try:
        yield postgres_server
    finally:
        slot.instance.postgres.fsync = False
        await asyncio.to_thread(postgres_server.restart)


@pytest.mark.parametrize("seed", SEEDS)
async def test_services_killed_at_random_moments_lose_nothing(
    supervised: Stack, load: Load, seed: int
) -> None:
    chance = random.Random(seed)
    starts = {process.service: process.starts for process in supervised.replicas}
    await load.start(seconds=6)
    acknowledged = 0
    for number in range(KILLS):
        acknowledged = await load.acknowledged(acknowledged + chance.randrange(20, RATE // 2))
        # Each service in its turn, so that none is left out; the moment is the chance.
        process = supervised.replicas[number % len(supervised.replicas)]
        await process.wait_ready()
        await process.kill()
    await load.finish()
    await load.settle()
    assert all(process.starts > starts[process.service] for process in supervised.replicas)


async def test_all_services_killed_at_once_lose_nothing(supervised: Stack, load: Load) -> None:
    await load.start(seconds=3)
    await load.acknowledged(RATE)
    await asyncio.gather(*(process.kill() for process in supervised.replicas))
    await load.finish()
    await load.settle()


async def test_a_killed_broker_loses_nothing(
    supervised: Stack, load: Load, rabbit_server: RabbitServer
) -> None:
    await load.start(seconds=5)
    before = await load.acknowledged(RATE)
    await asyncio.to_thread(rabbit_server.kill)
    assert await load.acknowledged(before + RATE) > before, "sends go on while the broker is away"
    await asyncio.to_thread(rabbit_server.start)
    await load.finish()
    await load.settle()


async def test_a_killed_database_loses_nothing(
    supervised: Stack, durable_postgres: PostgresServer, load: Load
) -> None:
    await load.start(seconds=5)
    await load.acknowledged(RATE)
    await asyncio.to_thread(durable_postgres.kill)
    await asyncio.to_thread(durable_postgres.start)
    await load.finish()
    await load.settle()
