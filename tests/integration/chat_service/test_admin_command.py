"""`chatsdk-admin` as a process, on a real database and a real broker."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import aio_pika
import asyncpg
import orjson
import pytest

from chatsdk_contracts.topology import (
    EVENTS_EXCHANGE,
    METRICS_QUEUE,
    PLAN_QUEUE,
    dead_letter_queue,
    definitions,
)
from chatsdk_runtime.rabbit import OutgoingMessage, Publisher, declare
from tests.integration.chat_service.calling import MASTER_KEYS, Tenant, running_doors

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def admin(chat_database: str, rabbit_vhost: str) -> Command:
    environment = {
        **os.environ,
        "CHAT_DATABASE_URL": chat_database,
        "RABBITMQ_URL": rabbit_vhost,
        "CHATSDK_SERVICE_TOKEN": "service-token-of-the-tests",
        "CHATSDK_MASTER_KEYS": MASTER_KEYS,
    }
    script = Path(sys.executable).with_name("chatsdk-admin")

    def run(*arguments: str, **overrides: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [script, *arguments],
            env={**environment, **overrides},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_search_index_is_rebuilt_at_the_terminal(admin: Command) -> None:
    done = admin("search", "rebuild")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "indexed 0\n"


async def test_an_app_made_at_the_terminal_works_over_http(admin: Command, chat_database: str) -> None:
    done = admin("apps", "create", "--name", "Acme", "--json")
    assert done.returncode == 0, done.stderr
    made = orjson.loads(done.stdout)
    assert {"id", "name", "apiKey"} <= set(made)
    listed = orjson.loads(admin("apps", "list", "--json").stdout)
    assert [app["id"] for app in listed] == [made["id"]]
    more = orjson.loads(admin("keys", "create", "--app", made["id"], "--name", "more", "--json").stdout)
    async with running_doors(chat_database) as doors:
        tenant = Tenant(doors, made["id"], more["apiKey"])
        ann = await tenant.user("ann")
        await ann.channel(type="group", name="Plans")
        assert len(await tenant.events("users/ann")) == 1
    assert len(orjson.loads(admin("keys", "list", "--app", made["id"], "--json").stdout)) == 2
    revoked = admin("keys", "revoke", more["id"], "--app", made["id"], "--json")
    assert orjson.loads(revoked.stdout)["revokedAt"] is not None
    async with running_doors(chat_database) as doors:
        assert (
            await Tenant(doors, made["id"], more["apiKey"]).server("GET", "/api/users")
        ).status_code == 401


async def test_what_cannot_be_done_is_said(admin: Command) -> None:
    nobody = "0199f3a1-0000-7000-8000-000000000002"
    for arguments, code, text in (
        (("keys", "list", "--app", nobody), 1, "No such app"),
        (("keys", "list", "--app", "x"), 1, "not an id"),
        (("apps", "create", "--name", ""), 1, "--name"),
        (("republish",), 1, "--lane"),
        (("republish", "--event-id", nobody), 1, "not in the log"),
        (("dlq", "show", "nothing"), 1, "no work queue"),
        (("nonsense",), 2, ""),
    ):
        done = admin(*arguments)
        assert done.returncode == code, (arguments, done.stderr)
        assert text in done.stderr
        assert "Traceback" not in done.stderr
    assert admin("apps", "list", CHATSDK_MASTER_KEYS="").returncode == 2
    away = admin("apps", "list", CHAT_DATABASE_URL="postgresql://127.0.0.1:1/x")
    assert away.returncode == 1
    assert "Traceback" not in away.stderr


async def test_dead_letters_are_counted_shown_requeued_and_discarded(
    admin: Command, rabbit_vhost: str
) -> None:
    publisher = await Publisher.open(rabbit_vhost, name="tests")
    await declare(publisher.channel, definitions())
    letters = [
        OutgoingMessage(
            dead_letter_queue(METRICS_QUEUE), b"body %d" % number, f"id-{number}", "message.new", {"lane": 3}
        )
        for number in range(5)
    ]
    assert (await publisher.publish("", letters, window=5)).confirmed == 5
    await publisher.close()
    counts = dict(line.split("\t") for line in admin("dlq", "list").stdout.splitlines())
    assert counts == {PLAN_QUEUE: "0", METRICS_QUEUE: "5"}
    shown = [
        orjson.loads(line) for line in admin("dlq", "show", METRICS_QUEUE, "--limit", "3").stdout.splitlines()
    ]
    assert [letter["id"] for letter in shown] == ["id-0", "id-1", "id-2"]
    assert shown[0]["body"] == "body 0"
    assert admin("dlq", "requeue", METRICS_QUEUE, "--limit", "2").stdout == "requeued 2\n"
    assert admin("dlq", "discard", METRICS_QUEUE).returncode == 1
    gone = admin("dlq", "discard", METRICS_QUEUE, "--yes").stdout.splitlines()
    assert len(gone) == 3
    back = await _drain(rabbit_vhost, METRICS_QUEUE)
    assert [(message.message_id, message.body, message.headers["lane"]) for message in back] == [
        ("id-0", b"body 0", 3),
        ("id-1", b"body 1", 3),
    ]
    assert "5" not in admin("dlq", "list").stdout


async def test_stored_events_are_published_again_unchanged(
    admin: Command, chat_database: str, rabbit_vhost: str
) -> None:
    publisher = await Publisher.open(rabbit_vhost, name="tests")
    await declare(publisher.channel, definitions())
    await publisher.close()
    await _drain(rabbit_vhost, METRICS_QUEUE)
    async with running_doors(chat_database) as doors:
        tenant = await doors.new_tenant()
        ann = await tenant.user("ann")
        made = await ann.channel(type="group")
    connection = await asyncpg.connect(chat_database)
    try:
        # As the relay would leave it.
        rows = await connection.fetch(
            "update event set lane_pos = version where subject = $1 returning id, lane, body, version",
            f"channels/{made['id']}",
        )
        lane = rows[0]["lane"]
        early = admin("republish", "--event-id", str(rows[0]["id"]))
        assert early.returncode == 1
        await connection.execute(
            "update relay_lane set next_pos = 3, published_pos = 2 where lane = $1", lane
        )
    finally:
        await connection.close()
    ordered = sorted(rows, key=lambda row: int(row["version"]))
    assert admin("republish", "--lane", str(lane)).stdout == "republished 2\n"
    assert admin("republish", "--lane", str(lane), "--after", "1", "--to", "9").stdout == "republished 1\n"
    assert admin("republish", "--event-id", str(ordered[0]["id"])).stdout == "republished 1\n"
    got = await _drain(rabbit_vhost, METRICS_QUEUE)
    assert [message.body for message in got] == [ordered[place]["body"] for place in (0, 1, 1, 0)]
    assert got[0].exchange == EVENTS_EXCHANGE
    assert (got[0].headers["lane"], got[0].headers["lane-pos"]) == (lane, 1)
    assert got[0].message_id == str(ordered[0]["id"])
    assert "CC" in got[1].headers


async def _drain(url: str, queue: str) -> list[aio_pika.abc.AbstractIncomingMessage]:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        waiting = await channel.declare_queue(queue, passive=True)
        taken = []
        async with asyncio.timeout(20):
            while message := await waiting.get(fail=False):
                await message.ack()
                taken.append(message)
        return taken
