"""The private PostgreSQL and RabbitMQ themselves: what the runner and every other test stand on."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import aio_pika
import asyncpg
import pytest

from deploy.local import processes
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.rabbitmq import RabbitServer
from tests.fixtures.slot import Slot
from tests.waiting import wait_for


async def test_a_database_is_a_copy_of_its_template(postgres_server: PostgresServer) -> None:
    postgres_server.create_database("copied")
    postgres_server.sql("create table note (text text); insert into note values ('kept')", "copied")

    connection = await asyncpg.connect(postgres_server.create_database("copy", "copied"))

    assert await connection.fetchval("select text from note") == "kept"
    await connection.close()
    postgres_server.drop_database("copy")
    postgres_server.drop_database("copied")


async def test_a_killed_postgresql_comes_back_on_its_port_with_what_was_committed(
    postgres_server: PostgresServer,
) -> None:
    dsn = postgres_server.create_database("crash")
    postgres_server.sql("create table note (text text); insert into note values ('kept')", "crash")
    port = postgres_server.port

    postgres_server.kill()
    with pytest.raises(OSError):
        await asyncpg.connect(dsn)
    postgres_server.start()

    assert postgres_server.port == port
    assert postgres_server.sql("select text from note", "crash") == "kept"
    postgres_server.drop_database("crash")


async def test_a_vhost_keeps_a_persistent_message_over_a_kill_of_the_broker(
    rabbit_server: RabbitServer, new_vhost: Callable[[], str]
) -> None:
    url = new_vhost()
    vhost = urlsplit(url).path[1:]
    connection = await aio_pika.connect(url)
    channel = await connection.channel()
    arguments: dict[str, str] = {"x-queue-type": "quorum"}
    await channel.declare_queue("kept", durable=True, arguments=arguments)  # type: ignore[arg-type]  # values of any kind are taken
    message = aio_pika.Message(b"kept", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    await channel.default_exchange.publish(message, "kept")
    port = rabbit_server.port
    closed = asyncio.Event()
    connection.close_callbacks.add(lambda *_: closed.set())
    port = rabbit_server.port

    rabbit_server.kill()
    await asyncio.wait_for(closed.wait(), 10)
    rabbit_server.start()

    assert rabbit_server.port == port
    await wait_for(lambda: rabbit_server.ready_counts(vhost) == {"kept": 1}, within_s=20, what="the message")


async def test_connections_are_closed_by_force(rabbit_server: RabbitServer, rabbit_vhost: str) -> None:
    connection = await aio_pika.connect(rabbit_vhost)
    closed = asyncio.Event()
    connection.close_callbacks.add(lambda *_: closed.set())

    rabbit_server.close_connections()

    await asyncio.wait_for(closed.wait(), 10)


def test_every_process_carries_the_mark_of_its_instance(
    slot: Slot, rabbit_server: RabbitServer, postgres_server: PostgresServer
) -> None:
    names = {
        (Path("/proc") / str(identity.pid) / "comm").read_text().strip()
        for identity in [
            *processes.tagged(slot.instance.directory),
            *processes.working_in(slot.instance.postgres.data),
        ]
    }

    assert {"beam.smp", "epmd", "postgres"} <= names
