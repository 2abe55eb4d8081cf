"""What must agree when a load is over, judged by what was kept outside the product.

Acknowledged: the loader's record. Delivered: the receiver's record. Between them stand what the databases
hold, what the broker confirmed and what the metrics service says. `differences` names what does not agree.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from tests.fixtures.rabbitmq import RabbitServer
from tests.fixtures.services import Stack

AWAY = (OSError, TimeoutError, aiohttp.ClientError, asyncpg.PostgresError, asyncpg.InterfaceError)

_DENSE_SEQ = """
select channel_id::text, count(*) as stored, count(distinct seq) as numbers, min(seq) as low, max(seq) as high
  from message
 where app_id = $1
 group by channel_id
having min(seq) <> 1
    or max(seq) <> count(*)
    or count(distinct seq) <> count(*)
"""
_DENSE_CV = """
select c.id::text, c.cv, count(e.version) as events, count(distinct e.version) as numbers, max(e.version) as high
  from channel c
  left join event e on e.subject = 'channels/' || c.id
 where c.app_id = $1
 group by c.id, c.cv
having count(distinct e.version) <> c.cv
    or count(e.version) <> c.cv
    or max(e.version) <> c.cv
"""
_DENSE_LANES = """
select l.lane, l.next_pos, l.published_pos, count(e.id) as events, max(e.lane_pos) as high,
       count(distinct e.lane_pos) as numbers, count(e.id) filter (where e.lane_pos is null) as unnumbered
  from relay_lane l
  left join event e on e.lane = l.lane
 group by l.lane, l.next_pos, l.published_pos
having l.published_pos <> l.next_pos - 1
    or count(e.id) <> l.published_pos
    or count(distinct e.lane_pos) <> l.published_pos
    or coalesce(max(e.lane_pos), 0) <> l.published_pos
"""
_PUBLISHED = """
select convert_from(e.body, 'utf8')::jsonb -> 'data' ->> 'id'
  from event e
  join relay_lane l on l.lane = e.lane
 where e.app_id = $1
   and e.type = 'message.new'
   and e.lane_pos <= l.published_pos
"""


@dataclass(frozen=True)
class Truth:
    """The two records of one load, and where to look for the rest."""

    stack: Stack
    rabbit: RabbitServer
    app_id: str
    webhook_id: str
    acknowledged_file: Path
    delivered_file: Path

    def acknowledged(self) -> dict[str, Mapping[str, Any]]:
        """What the loader was told, by message id."""
        return {line["id"]: line for line in _lines(self.acknowledged_file)}

    def delivered(self) -> set[str]:
        """The ids of the messages that the receiver verified."""
        events = (json.loads(line["body"]) for line in _lines(self.delivered_file))
        return {event["data"]["id"] for event in events if event["type"] == "message.new"}

    async def differences(self) -> list[str]:
        """What does not agree; the cheap comparison first, the rest when it holds."""
        acknowledged = self.acknowledged()
        found = _compare("delivered", acknowledged.keys(), self.delivered())
        if found:
            return found
        try:
            found += await self._chat_differences(acknowledged)
            found += await self._dispatcher_differences(len(acknowledged))
            found += await self.metrics_differences(len(acknowledged))
        except AWAY as outage:
            return [*found, f"not there to be asked: {outage!r}"]
        return found + self.dead_letters()

    async def _chat_differences(self, acknowledged: Mapping[str, Mapping[str, Any]]) -> list[str]:
        connection = await asyncpg.connect(self.stack.databases["chat"])
        try:
            rows = await connection.fetch("select id::text, seq from message where app_id = $1", self.app_id)
            published = [row[0] for row in await connection.fetch(_PUBLISHED, self.app_id)]
            found = _compare("stored", acknowledged.keys(), [row["id"] for row in rows])
            found += _compare("published", acknowledged.keys(), published)
            found += [
                f"message {row['id']} was acknowledged with seq {acknowledged[row['id']]['seq']}, has {row['seq']}"
                for row in rows
                if row["id"] in acknowledged and acknowledged[row["id"]]["seq"] != row["seq"]
            ]
            for name, statement, arguments in (
                ("seq", _DENSE_SEQ, [self.app_id]),
                ("cv", _DENSE_CV, [self.app_id]),
                ("lane_pos", _DENSE_LANES, []),
            ):
                holes = await connection.fetch(statement, *arguments)
                found += [f"hole in {name}: {dict(row)}" for row in holes]
            return found
        finally:
            await connection.close()

    async def _dispatcher_differences(self, expected: int) -> list[str]:
        connection = await asyncpg.connect(self.stack.databases["webhooks"])
        try:
            rows = await connection.fetch(
                "select status, count(*) from delivery where webhook_id = $1 group by status", self.webhook_id
            )
            waiting = await connection.fetchval("select count(*) from due_delivery")
            parked = await connection.fetchval("select count(*) from parked_event")
        finally:
            await connection.close()
        states = {row["status"]: row["count"] for row in rows}
        found = [] if states == {"succeeded": expected} else [f"deliveries: {states}, {expected} expected"]
        found += [f"{waiting} deliveries unfinished"] if waiting else []
        return found + ([f"{parked} events parked by the dispatcher"] if parked else [])

    async def metrics_differences(self, expected: int) -> list[str]:
        """The same for the count alone."""
        counted = await self.stack.messages_counted(self.app_id)
        connection = await asyncpg.connect(self.stack.databases["metrics"])
        try:
            parked = await connection.fetchval("select count(*) from parked_event")
        finally:
            await connection.close()
        found = [] if counted == expected else [f"counted {counted} messages, {expected} acknowledged"]
        return found + ([f"{parked} events parked by metrics"] if parked else [])

    def dead_letters(self) -> list[str]:
        """Queues of dead letters that are not empty."""
        counts = self.rabbit.ready_counts(self.stack.vhost)
        return [f"{count} in {queue}" for queue, count in counts.items() if queue.endswith(".dlq") and count]


def _lines(file: Path) -> list[Any]:
    if not file.exists():
        return []
    # The last line may be in the making.
    complete = file.read_bytes().rpartition(b"\n")[0]
    return [json.loads(line) for line in complete.splitlines()]


def _compare(what: str, acknowledged: Iterable[str], found: Iterable[str]) -> list[str]:
    expected, listed = set(acknowledged), list(found)
    seen = set(listed)
    problems = []
    if expected - seen:
        problems.append(f"{len(expected - seen)} acknowledged but not {what}: {sorted(expected - seen)[:3]}")
    if seen - expected:
        problems.append(f"{len(seen - expected)} {what} but not acknowledged: {sorted(seen - expected)[:3]}")
    if what != "delivered" and len(listed) != len(seen):
        problems.append(f"{len(listed) - len(seen)} {what} more than once")
    return problems
