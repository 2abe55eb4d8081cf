"""SQL of collaborative text: operations, and what a message has beside its text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from chat_service.collab.rules import WireOp
from chat_service.collab.views import OpView
from chatsdk_contracts.ids import AppId, MessageId, UserId
from chatsdk_contracts.messages import Message
from chatsdk_runtime.postgres import Connection, Row, Transaction


@dataclass(frozen=True, slots=True)
class TextState:
    """What is kept of a collaborative text: operations behind `kept_after`, and its document in mode crdt."""

    kept_after: int
    state: bytes | None


@dataclass(frozen=True, slots=True)
class StoredOp:
    """An operation and what was asked with it."""

    view: OpView
    request_hash: bytes


async def fetch_op(
    connection: Connection, message_id: MessageId, user_id: UserId, client_op_id: str
) -> StoredOp | None:
    """The operation that this user sent under this id."""
    row = await connection.fetchrow(_FETCH_OP, UUID(message_id), user_id, client_op_id)
    return None if row is None else StoredOp(_view(row), row["request_hash"])


async def fetch_state(connection: Connection, message_id: MessageId) -> TextState | None:
    """What is kept beside the text; None before the first operation."""
    row = await connection.fetchrow(
        "select kept_after, state from collab_text where message_id = $1", UUID(message_id)
    )
    return None if row is None else TextState(row["kept_after"], row["state"])


async def list_ops(
    connection: Connection, message_id: MessageId, *, after: int, limit: int | None = None
) -> list[OpView]:
    """Operations behind a version, ascending; all of them without a limit."""
    return [_view(row) for row in await connection.fetch(_LIST_OPS, UUID(message_id), after, limit)]


async def write_op(
    tx: Transaction, app_id: AppId, message: Message, op: OpView, request_hash: bytes, event_id: str
) -> None:
    """Write the message's new text with the operation that made it, and which event tells of it."""
    ops: Sequence[WireOp] = op.ops or []
    await tx.execute(
        _WRITE_OP,
        UUID(message.id),
        UUID(app_id),
        message.text,
        message.version,
        message.cv,
        op.created_at,
        UUID(event_id),
        op.user_id,
        op.client_op_id,
        request_hash,
        orjson.dumps(ops).decode(),
    )


async def write_state(
    tx: Transaction, app_id: AppId, message_id: MessageId, state: TextState, *, dropped_after: int
) -> None:
    """Write what is kept, and drop what operations behind `dropped_after` did that are kept no more."""
    await tx.execute(_WRITE_STATE, UUID(message_id), UUID(app_id), state.kept_after, state.state)
    if state.kept_after > dropped_after:
        await tx.execute(_DROP_OPS, UUID(message_id), dropped_after, state.kept_after)


async def trim_told(tx: Transaction, message_id: MessageId, oldest: str) -> None:
    """Forget those events of a message that the log has dropped: all before an id, which tells the time."""
    await tx.execute(_TRIM_TOLD, UUID(message_id), UUID(oldest))


async def forget_dropped(connection: Connection, *, before: datetime, limit: int = 5_000) -> int:
    """Delete operations that are kept no more and are too old to be repeated, at most `limit`; returns how many."""
    return len(await connection.fetch(_FORGET_DROPPED, before, limit))


def _view(row: Row) -> OpView:
    return OpView(
        version=row["version"],
        user_id=row["user_id"],
        client_op_id=row["client_op_id"],
        ops=None if row["ops"] is None else orjson.loads(row["ops"]),
        created_at=row["created_at"],
    )


_FETCH_OP = """
select version, user_id, client_op_id, ops, created_at, request_hash
from collab_op
where message_id = $1 and user_id = $2 and client_op_id = $3
"""

_LIST_OPS = """
select version, user_id, client_op_id, ops, created_at
from collab_op
where message_id = $1 and version > $2
order by version
limit $3
"""

_WRITE_OP = """
with changed as (
  update message
  set text = $3, version = $4, cv = $5, updated_at = $6, edited_at = $6, event_ids = event_ids || $7::uuid
  where id = $1
)
insert into collab_op (message_id, version, app_id, user_id, client_op_id, request_hash, ops, created_at)
values ($1, $4, $2, $8, $9, $10, $11, $6)
"""

_WRITE_STATE = """
insert into collab_text (message_id, app_id, kept_after, state)
values ($1, $2, $3, $4)
on conflict (message_id) do update set kept_after = excluded.kept_after, state = excluded.state
"""

_DROP_OPS = "update collab_op set ops = null where message_id = $1 and version > $2 and version <= $3"

_TRIM_TOLD = """
update message
set event_ids = array(select one from unnest(event_ids) with ordinality as told (one, place) where one >= $2 order by place)
where id = $1
"""

_FORGET_DROPPED = """
delete from collab_op
where ctid in (select ctid from collab_op where ops is null and created_at < $1 limit $2)
returning 1
"""
