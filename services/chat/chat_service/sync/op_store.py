"""SQL of kept operations: lanes, stored results, deletions that came before their message."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from chatsdk_contracts.ids import AppId, ChannelId, MessageId, UserId
from chatsdk_runtime.postgres import Connection, Row, Transaction


@dataclass(frozen=True, slots=True)
class LaneKey:
    """A lane: one client of one user, in one channel."""

    app_id: AppId
    user_id: UserId
    client_id: str
    channel_id: ChannelId


@dataclass(frozen=True, slots=True)
class StoredResult:
    """What an operation came to. A message is kept by reference, so that its text stands in one place."""

    op_id: str
    lane_seq: int
    fingerprint: bytes
    status_code: int
    message_id: MessageId | None
    error: dict[str, Any] | None
    cv: int


async def lock_lane(tx: Transaction, key: LaneKey, now: datetime) -> int:
    """Lock the lane until the end of the transaction; its last operation's number, 0 for a new one."""
    await tx.execute(_OPEN_LANE, *_values(key), now)
    last: int = await tx.fetchval(_LOCK_LANE, *_values(key))
    return last


async def fetch_result(
    connection: Connection, key: LaneKey, op_id: str, lane_seq: int
) -> StoredResult | None:
    """The result of the operation with this id, or at this place of the lane."""
    row = await connection.fetchrow(_FETCH_RESULT, *_values(key), UUID(op_id), lane_seq)
    return None if row is None else _result(row)


async def store_result(tx: Transaction, key: LaneKey, result: StoredResult, now: datetime) -> None:
    """Keep a result and move the lane, in the transaction of the effect."""
    await tx.execute(
        _STORE_RESULT,
        *_values(key),
        UUID(result.op_id),
        result.lane_seq,
        result.fingerprint,
        result.status_code,
        UUID(result.message_id) if result.message_id else None,
        None if result.error is None else orjson.dumps(result.error).decode(),
        result.cv,
        now,
    )


async def channel_version(connection: Connection, key: LaneKey) -> int:
    """The channel's version now; 0 when there is no such channel in the app."""
    version: int | None = await connection.fetchval(
        "select cv from channel where id = $1 and app_id = $2", UUID(key.channel_id), UUID(key.app_id)
    )
    return version or 0


async def write_pre_tombstone(tx: Transaction, key: LaneKey, message_id: MessageId, now: datetime) -> None:
    """Remember that the author deleted this message before it arrived."""
    await tx.execute(
        _PRE_TOMBSTONE, UUID(message_id), UUID(key.app_id), UUID(key.channel_id), key.user_id, now
    )


async def forget_results(connection: Connection, *, before: datetime, limit: int = 5_000) -> int:
    """Delete results past their time; a send is known by its message for ever. Returns how many."""
    return len(await connection.fetch(_FORGET, before, limit))


def _values(key: LaneKey) -> tuple[UUID, UserId, str, UUID]:
    return UUID(key.app_id), key.user_id, key.client_id, UUID(key.channel_id)


def _result(row: Row) -> StoredResult:
    return StoredResult(
        str(row["op_id"]),
        row["lane_seq"],
        row["fingerprint"],
        row["status_code"],
        MessageId(str(row["message_id"])) if row["message_id"] else None,
        None if row["result"] is None else orjson.loads(row["result"]),
        row["cv"],
    )


_OPEN_LANE = """
insert into op_lane (app_id, user_id, client_id, channel_id, last_seq, last_cv, updated_at)
values ($1, $2, $3, $4, 0, 0, $5)
on conflict do nothing
"""

_LOCK_LANE = """
select last_seq from op_lane
where app_id = $1 and user_id = $2 and client_id = $3 and channel_id = $4
for update
"""

_FETCH_RESULT = """
select op_id, lane_seq, fingerprint, status_code, message_id, result, cv
from op_result
where app_id = $1 and user_id = $2
  and (op_id = $5 or (client_id = $3 and channel_id = $4 and lane_seq = $6))
order by op_id = $5 desc
limit 1
"""

_STORE_RESULT = """
with moved as (
  update op_lane
  set last_seq = $6, last_cv = $11, updated_at = $12
  where app_id = $1 and user_id = $2 and client_id = $3 and channel_id = $4
)
insert into op_result (
  app_id, user_id, client_id, channel_id, op_id, lane_seq, fingerprint, status_code, message_id, result, cv, created_at
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, $11, $12)
"""

_PRE_TOMBSTONE = """
insert into pre_tombstone (message_id, app_id, channel_id, user_id, created_at)
values ($1, $2, $3, $4, $5)
on conflict do nothing
"""

_FORGET = """
delete from op_result
where (app_id, user_id, op_id) in (
  select app_id, user_id, op_id from op_result where created_at < $1 limit $2
)
returning 1
"""
