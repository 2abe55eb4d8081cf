"""Rows of what clients read, and of what must not grow: catching up, unread lists, a send by members."""

import http.client
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import asyncpg

from deploy.local.instance import Instance
from tests.bench.http_client import LoadPlan, load
from tests.bench.stack import Stack
from tests.bench.table import Row, median, percentile

_MISSED = 10_000
_LISTED = 1_000
_MEMBERS = 100_000
_ASKED = 60
_WARM_UP = 5
_RUNS = 3
_PROCESSES = "chat, PostgreSQL, RabbitMQ, one client; consumers stopped"

# A user in 1,000 channels, each with ten messages, seven of them unread; rows written straight into the tables.
_CHANNELS = f"""
insert into channel (id, app_id, type, name, created_at, updated_at, last_seq, cv, message_count, last_message_at)
select md5('listed' || n)::uuid, app.id, 'group', 'listed ' || n, now(), now(), 10, 11, 10, now() - n * interval '1 s'
from app, generate_series(1, {_LISTED}) as n;
insert into channel_member (channel_id, user_id, app_id, role, joined_at, last_read_seq)
select md5('listed' || n)::uuid, 'reader', app.id, 'member', now(), 3 from app, generate_series(1, {_LISTED}) as n;
insert into message (
  id, channel_id, app_id, user_id, text, seq, cv, client_msg_id, request_hash, created_at, updated_at
)
select gen_random_uuid(), md5('listed' || n)::uuid, app.id, 'sender-0', 'message ' || seq, seq, seq + 1,
  n || '-' || seq, '', now(), now()
from app, generate_series(1, {_LISTED}) as n, generate_series(1, 10) as seq;
"""
_CROWD = f"""
insert into channel_member (channel_id, user_id, app_id, role, joined_at)
select channel.id, 'crowd-' || n, channel.app_id, 'member', now()
from channel, generate_series(1, {_MEMBERS} - 16) as n
where channel.id = $1;
"""
_COUNT_CROWD = f"update channel set member_count = {_MEMBERS} where id = $1"
_SETTLE = "vacuum analyze channel, channel_member, message, event"


async def reading_rows(instance: Instance) -> list[Row]:
    """All of them on one stack."""
    stack = Stack(instance)
    try:
        stack.start("chat")
        stack.make_content()
        rows = [await _catch_up_row(stack), await _list_row(stack, instance)]
        rows.append(await _growth_row(stack, instance))
        return rows
    finally:
        stack.close()


async def _catch_up_row(stack: Stack) -> Row:
    """A client that missed 10,000 messages in 16 channels reads page after page until it has them."""
    client = _Client(stack, "sender-1")
    _, page = client.get("/api/sync")
    while page["hasMore"]:
        _, page = client.get(f"/api/sync?cursor={page['cursor']}")
    plan = LoadPlan(stack.port("chat"), stack.paths(channels=16), stack.api_key, _MISSED // 16)
    await load(plan)
    await stack.wait_published()
    took: list[float] = []
    for _ in range(_RUNS):
        began_s, changes, behind = time.perf_counter(), 0, page
        while True:
            _, behind = client.get(f"/api/sync?limit=1000&cursor={behind['cursor']}")
            changes += len(behind["changes"])
            if not behind["hasMore"]:
                break
        took.append(time.perf_counter() - began_s)
        assert changes == _MISSED, changes
    client.close()
    took_s = median(took)
    return Row(
        f"sync of a client that missed {_MISSED:,} changes",
        f"{took_s:.2f} s, {_MISSED / took_s:,.0f} changes/s",
        processes=_PROCESSES,
    )


async def _list_row(stack: Stack, instance: Instance) -> Row:
    """The first page of the channels of a user in 1,000 channels, with last message and unread; and the total."""
    stack.post("chat", "/api/users/ensure", {"userId": "reader"})
    await _execute(stack, instance, _CHANNELS, _SETTLE)
    client = _Client(stack, "reader")
    listed = _times(lambda: client.get("/api/channels?limit=100&unread=true")[0])
    counted = _times(lambda: client.get("/api/channels/unread-count")[0])
    _, count = client.get("/api/channels/unread-count")
    assert (count["count"], count["channels"]) == (7 * _LISTED, _LISTED), count
    client.close()
    return Row(
        f"unread list of a user in {_LISTED:,} channels",
        f"page of 100: p50 {percentile(listed, 0.5):.1f}, p95 {percentile(listed, 0.95):.1f} ms; "
        f"total: p50 {percentile(counted, 0.5):.1f}, p95 {percentile(counted, 0.95):.1f} ms",
        processes=_PROCESSES,
    )


async def _growth_row(stack: Stack, instance: Instance) -> Row:
    """The same sends into a channel of 16 and into one of 100,000 members, in turn."""
    crowded = stack.channels[1]
    await _execute(stack, instance, (_CROWD, crowded), (_COUNT_CROWD, crowded), _SETTLE)
    small = LoadPlan(
        stack.port("chat"), [f"/api/channels/{stack.channels[0]}/messages"] * 16, stack.api_key, 100, 20
    )
    large = replace(small, paths=[f"/api/channels/{crowded}/messages"] * 16)
    ratios: list[float] = []
    for _ in range(_RUNS):
        rates = []
        for plan in (small, large):
            await stack.wait_published()
            rates.append((await load(plan)).per_s)
        ratios.append(rates[0] / rates[1])
    ratio = median(ratios)
    return Row(
        f"cost of a send with {_MEMBERS:,} members",
        f"{ratio:.2f}x",
        "the same with 16 members",
        ratio,
        "<= 1.2x",
        ratio <= 1.2,
        _PROCESSES,
    )


class _Client:
    """One user's connection."""

    def __init__(self, stack: Stack, user: str) -> None:
        token = stack.post("chat", "/api/auth/tokens", {"userId": user})["token"]
        self._headers = {"Authorization": f"Bearer {token}"}
        self._connection = http.client.HTTPConnection("127.0.0.1", stack.port("chat"), timeout=30)

    def get(self, path: str) -> tuple[float, Any]:
        """How long it took in milliseconds, and what came."""
        began_s = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        response = self._connection.getresponse()
        body = response.read()
        took_ms = (time.perf_counter() - began_s) * 1_000
        assert response.status == 200, body
        return took_ms, json.loads(body)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _times(ask: Callable[[], float]) -> list[float]:
    return sorted([ask() for _ in range(_WARM_UP + _ASKED)][_WARM_UP:])


async def _execute(stack: Stack, instance: Instance, *statements: str | tuple[str, str]) -> None:
    connection = await asyncpg.connect(instance.postgres.dsn(f"{stack.vhost}-chat"))
    try:
        for statement in statements:
            if isinstance(statement, tuple):
                await connection.execute(statement[0], statement[1])
            else:
                await connection.execute(statement)
    finally:
        await connection.close()
