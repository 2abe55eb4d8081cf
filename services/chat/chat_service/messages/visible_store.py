"""SQL of what a reader may see of a timeline: nothing up to the seq where it is truncated or cleared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from chat_service.messages.store import COLUMNS, TIMELINE_SEQ, message_of
from chatsdk_contracts.ids import ChannelId, MessageId, UserId
from chatsdk_contracts.messages import Message
from chatsdk_runtime.postgres import Connection


async def list_after(connection: Connection, channel_id: ChannelId, seq: int, limit: int) -> list[Message]:
    """The timeline behind a seq, ascending."""
    return [message_of(row) for row in await connection.fetch(_LIST_AFTER, UUID(channel_id), seq, limit)]


async def list_before(
    connection: Connection, channel_id: ChannelId, seq: int | None, limit: int, *, floor_seq: int = 0
) -> list[Message]:
    """The timeline behind a floor and up to, not including, a seq (None: the end), ascending."""
    rows = await connection.fetch(_LIST_BEFORE, UUID(channel_id), seq, limit, floor_seq)
    return [message_of(row) for row in reversed(rows)]


async def fetch_readable(
    connection: Connection, channel_id: ChannelId, message_id: MessageId, floor_seq: int
) -> Message | None:
    """One message behind a seq, or a reply to one; a tombstone included."""
    row = await connection.fetchrow(_FETCH_READABLE, UUID(channel_id), UUID(message_id), floor_seq)
    return None if row is None else message_of(row)


async def fetch_unsent(
    connection: Connection, channel_id: ChannelId, message_id: MessageId
) -> Message | None:
    """One message that is held or was rejected; the caller decides who may see it."""
    row = await connection.fetchrow(_FETCH_UNSENT, UUID(channel_id), UUID(message_id))
    return None if row is None else message_of(row)


async def fetch_messages_for(
    connection: Connection, user_id: UserId, ids: Sequence[MessageId]
) -> list[Message]:
    """Those of these messages that a user may see, tombstones included, in no order."""
    rows = await connection.fetch(_FETCH_MESSAGES_FOR, user_id, [UUID(one) for one in ids])
    return [message_of(row) for row in rows]


async def last_messages(connection: Connection, floors: Mapping[ChannelId, int]) -> dict[ChannelId, Message]:
    """The newest message of each timeline behind a seq, for those that have one."""
    if not floors:
        return {}
    rows = await connection.fetch(
        _LAST_MESSAGES, [UUID(channel_id) for channel_id in floors], list(floors.values())
    )
    messages = [message_of(row) for row in rows]
    return {message.channel_id: message for message in messages}


_LIST_AFTER = f"""
select {COLUMNS} from message m where m.channel_id = $1 and m.seq > $2 order by m.seq limit $3
"""

_LIST_BEFORE = f"""
select {COLUMNS}
from message m
where m.channel_id = $1 and m.seq > $4 and ($2::bigint is null or m.seq < $2)
order by m.seq desc
limit $3
"""

_FETCH_READABLE = f"""
select {COLUMNS}
from message m
where m.channel_id = $1 and m.id = $2 and {TIMELINE_SEQ} > $3::bigint
"""

_FETCH_UNSENT = f"""
select {COLUMNS} from message m where m.channel_id = $1 and m.id = $2 and m.status <> 'sent'
"""

_LAST_MESSAGES = f"""
select {COLUMNS}
from unnest($1::uuid[], $2::bigint[]) as wanted (channel_id, floor_seq)
cross join lateral (
  select *
  from message
  where message.channel_id = wanted.channel_id and message.seq > wanted.floor_seq
  order by message.seq desc
  limit 1
) as m
"""

_FETCH_MESSAGES_FOR = f"""
select {COLUMNS}
from message m
join channel on channel.id = m.channel_id
join channel_member member on member.channel_id = m.channel_id and member.user_id = $1
where m.id = any($2::uuid[]) and {TIMELINE_SEQ} > greatest(channel.truncated_seq, member.cleared_seq)
"""
