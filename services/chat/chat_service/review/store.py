"""SQL of held messages: storing them without a place in the channel, the queue, and giving them their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from chat_service.messages.rules import Accepted
from chat_service.messages.store import COLUMNS, attachments_json, message_of
from chatsdk_contracts.ids import AppId, ChannelId, MessageId
from chatsdk_contracts.messages import Message
from chatsdk_runtime.postgres import Connection, Transaction

# Between the ids of a list within an array's text; no user id holds it.
_SEPARATOR = "\x1f"


async def insert_held(
    tx: Transaction, held: Sequence[Accepted], event_ids: Sequence[str], now: datetime
) -> None:
    """Store messages that wait. Nothing of the channel moves."""
    messages = [one.message for one in held]
    await tx.execute(
        _INSERT_HELD,
        now,
        [UUID(message.id) for message in messages],
        [UUID(message.channel_id) for message in messages],
        [UUID(one.send.app_id) for one in held],
        [message.user_id for message in messages],
        [message.type for message in messages],
        [message.text for message in messages],
        [attachments_json(message) for message in messages],
        [message.cv for message in messages],
        [message.client_msg_id for message in messages],
        [one.send.request_hash for one in held],
        [UUID(message.parent_id) if message.parent_id else None for message in messages],
        [UUID(message.reply_to_id) if message.reply_to_id else None for message in messages],
        [message.silent for message in messages],
        [orjson.dumps(message.custom).decode() for message in messages],
        [UUID(event_id) for event_id in event_ids],
        [message.hlc for message in messages],
        [_SEPARATOR.join(message.mentions) for message in messages],
        [_SEPARATOR.join(message.mention_groups) for message in messages],
        [message.text_mode for message in messages],
    )


async def channel_of(connection: Connection, app_id: AppId, message_id: MessageId) -> ChannelId | None:
    """The channel of a message of the app."""
    found = await connection.fetchval(_CHANNEL_OF, UUID(app_id), UUID(message_id))
    return None if found is None else ChannelId(str(found))


Position = tuple[datetime, UUID]


async def list_held(
    connection: Connection, app_id: AppId, channel_id: ChannelId | None, *, after: Position | None, limit: int
) -> list[Message]:
    """What waits in a channel, or (None) in the whole app, the oldest first."""
    at, message_id = after or (None, None)
    channel = None if channel_id is None else UUID(channel_id)
    statement = _LIST_OF_APP if channel is None else _LIST_OF_CHANNEL
    rows = await connection.fetch(
        statement, UUID(app_id), at, message_id, limit, *([channel] if channel else [])
    )
    return [message_of(row) for row in rows]


@dataclass(frozen=True, slots=True)
class ThreadPlace:
    """The number of a thread's last reply, and whether only the author of its first message sees it."""

    last_seq: int
    is_shadowed: bool


async def thread_of(tx: Transaction, channel_id: ChannelId, parent_id: MessageId) -> ThreadPlace | None:
    """Where a thread stands whose channel is locked; None when it is not shown any more."""
    row = await tx.fetchrow(_THREAD, UUID(channel_id), UUID(parent_id))
    return None if row is None else ThreadPlace(row["last_thread_seq"], row["is_shadowed"])


async def write_sent(
    tx: Transaction, message: Message, event_ids: Sequence[str], shadowed_after: int | None
) -> None:
    """Put an approved message in its place, or (`shadowed_after`) behind a seq where only its author sees it.

    Its author has read it, if everything before it.
    """
    await tx.execute(
        _WRITE_SENT,
        UUID(message.id),
        message.seq,
        message.thread_seq,
        message.cv,
        message.updated_at,
        [UUID(event_id) for event_id in event_ids],
        UUID(message.channel_id),
        message.user_id,
        shadowed_after,
    )


async def write_rejected(tx: Transaction, message: Message, event_id: str) -> None:
    """Mark a message as rejected."""
    await tx.execute(_WRITE_REJECTED, UUID(message.id), message.updated_at, UUID(event_id))


_INSERT_HELD = """
insert into message (
  id, channel_id, app_id, user_id, type, text, attachments, cv, client_msg_id, request_hash, parent_id, reply_to_id,
  silent, custom, event_ids, hlc, mentions, mention_groups, text_mode, status, created_at, updated_at
)
select id, channel_id, app_id, user_id, type, text, attachments::jsonb, cv, client_msg_id, request_hash, parent_id,
  reply_to_id, silent, custom::jsonb, array[event_id], hlc, string_to_array(mentions, e'\\x1f'),
  string_to_array(mention_groups, e'\\x1f'), text_mode, 'held', $1, $1
from unnest(
  $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::text[],
  $11::bytea[], $12::uuid[], $13::uuid[], $14::boolean[], $15::text[], $16::uuid[], $17::text[], $18::text[],
  $19::text[], $20::text[]
) as held (
  id, channel_id, app_id, user_id, type, text, attachments, cv, client_msg_id, request_hash, parent_id, reply_to_id,
  silent, custom, event_id, hlc, mentions, mention_groups, text_mode
)
"""

_CHANNEL_OF = "select channel_id from message where app_id = $1 and id = $2"

_LIST_OF_APP = f"""
select {COLUMNS}
from message m
join channel on channel.id = m.channel_id
where m.app_id = $1 and m.status = 'held' and m.deleted_at is null and channel.deleted_at is null
  and ($2::timestamptz is null or (m.created_at, m.id) > ($2, $3::uuid))
order by m.created_at, m.id
limit $4
"""

_LIST_OF_CHANNEL = f"""
select {COLUMNS}
from message m
where m.app_id = $1 and m.channel_id = $5 and m.status = 'held' and m.deleted_at is null
  and ($2::timestamptz is null or (m.created_at, m.id) > ($2, $3::uuid))
order by m.created_at, m.id
limit $4
"""

_THREAD = """
select first.last_thread_seq, first.shadowed_after is not null as is_shadowed
from message first
join channel on channel.id = first.channel_id
where first.channel_id = $1 and first.id = $2 and coalesce(first.seq, first.shadowed_after + 1) > channel.truncated_seq
"""

_WRITE_SENT = """
with author as (
  update channel_member
  set last_read_seq = $2, receipt_seq = greatest(receipt_seq, $2)
  where channel_id = $7 and user_id = $8 and $2::bigint is not null and last_read_seq = $2 - 1
)
update message
set status = 'sent', seq = $2, thread_seq = $3, cv = $4, updated_at = $5, event_ids = event_ids || $6::uuid[],
  shadowed_after = $9
where id = $1
"""

_WRITE_REJECTED = """
update message set status = 'rejected', updated_at = $2, event_ids = event_ids || $3::uuid where id = $1
"""
