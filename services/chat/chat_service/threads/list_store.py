"""SQL of reading threads: replies, participants, a user's own list. What a reader may not see of a timeline is nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chat_service.messages.store import COLUMNS, message_of
from chat_service.threads.rules import OwnPlace
from chat_service.threads.store import LATEST
from chat_service.threads.views import Participant, UnreadThreads
from chatsdk_contracts.ids import AppId, MessageId, UserId
from chatsdk_contracts.messages import Message
from chatsdk_runtime.postgres import Connection, Row

Position = tuple[datetime, UUID]


@dataclass(frozen=True, slots=True)
class Head:
    """How far a thread is, how many take part, and the reader's place in it."""

    last_thread_seq: int
    participant_count: int
    own: OwnPlace


async def fetch_head(connection: Connection, parent_id: MessageId, user_id: UserId | None) -> Head:
    """The thread of a message that is there; of its reader nothing when that is a server."""
    row = await connection.fetchrow(_HEAD, UUID(parent_id), user_id)
    assert row is not None, "read before in this transaction"
    own = OwnPlace(row["followed"], row["last_read_seq"])
    return Head(row["last_thread_seq"], row["participant_count"], own)


async def replies_after(
    connection: Connection, parent_id: MessageId, thread_seq: int, limit: int
) -> list[Message]:
    """Replies behind a place, ascending."""
    return [message_of(row) for row in await connection.fetch(_AFTER, UUID(parent_id), thread_seq, limit)]


async def replies_before(
    connection: Connection, parent_id: MessageId, thread_seq: int | None, limit: int
) -> list[Message]:
    """Replies up to, not including, a place (None: the end), ascending."""
    rows = await connection.fetch(_BEFORE, UUID(parent_id), thread_seq, limit)
    return [message_of(row) for row in reversed(rows)]


async def seq_before(connection: Connection, parent_id: MessageId, at: datetime) -> int:
    """The place of the first reply that is not older than a time; without one, the place behind the last."""
    seq: int = await connection.fetchval(_SEQ_AT, UUID(parent_id), at)
    return seq


async def list_participants(
    connection: Connection, parent_id: MessageId, *, before: int | None, limit: int
) -> list[Participant]:
    """Who replied, the latest first."""
    rows = await connection.fetch(_PARTICIPANTS, UUID(parent_id), before, limit)
    return [
        Participant(
            id=row["user_id"],
            name=row["name"],
            image=row["image"],
            reply_count=row["reply_count"],
            last_thread_seq=row["last_reply_seq"],
        )
        for row in rows
    ]


async def list_threads(
    connection: Connection,
    app_id: AppId,
    user_id: UserId,
    *,
    unread: bool,
    before: Position | None,
    limit: int,
) -> Sequence[Row]:
    """The threads that a user follows and may see, the latest reply first."""
    at, parent_id = before or (None, None)
    return await connection.fetch(_LIST, UUID(app_id), user_id, unread, at, parent_id, limit)


async def last_replies(connection: Connection, parent_ids: Sequence[MessageId]) -> dict[MessageId, Message]:
    """The latest reply to each message that is not deleted."""
    rows = await connection.fetch(_LAST_REPLIES, [UUID(one) for one in parent_ids])
    replies = [message_of(row) for row in rows]
    return {reply.parent_id: reply for reply in replies if reply.parent_id is not None}


async def count_unread(
    connection: Connection, app_id: AppId, user_id: UserId, now: datetime
) -> UnreadThreads:
    """Over all threads that a user follows, in channels that are neither muted nor hidden."""
    row = await connection.fetchrow(_COUNT_UNREAD, UUID(app_id), user_id, now)
    assert row is not None, "an aggregate is one row"
    return UnreadThreads(count=row["threads"], replies=row["replies"])


_HEAD = """
select m.last_thread_seq, m.participant_count, coalesce(place.followed, false) as followed,
  coalesce(place.last_read_seq, 0) as last_read_seq
from message as m
left join thread_place as place on place.parent_id = m.id and place.user_id = $2
where m.id = $1
"""

_AFTER = f"""
select {COLUMNS} from message m where m.parent_id = $1 and m.thread_seq > $2 order by m.thread_seq limit $3
"""

_BEFORE = f"""
select {COLUMNS}
from message m
where m.parent_id = $1 and m.thread_seq is not null and ($2::bigint is null or m.thread_seq < $2)
order by m.thread_seq desc
limit $3
"""

_SEQ_AT = """
select coalesce(
  (select min(thread_seq) from message where parent_id = $1 and created_at >= $2),
  (select last_thread_seq + 1 from message where id = $1)
)
"""

_PARTICIPANTS = """
select place.user_id, app_user.name, app_user.image, place.reply_count, place.last_reply_seq
from thread_place as place
join app_user on app_user.app_id = place.app_id and app_user.id = place.user_id
where place.parent_id = $1 and place.reply_count > 0 and ($2::bigint is null or place.last_reply_seq < $2)
order by place.last_reply_seq desc
limit $3
"""

# Messages are looked up one by one: a user follows few of them, whatever share of a small table that is.
_FOLLOWED = """
from thread_place as place
cross join lateral (select * from message where message.id = place.parent_id limit 1) as m
join channel on channel.id = place.channel_id
join channel_member member on member.channel_id = place.channel_id and member.user_id = place.user_id
where place.app_id = $1 and place.user_id = $2 and place.followed and channel.deleted_at is null
  and m.seq > greatest(channel.truncated_seq, member.cleared_seq)
"""

_LIST = f"""
select {COLUMNS}, m.last_thread_seq, m.participant_count, channel.name as channel_name,
  place.last_read_seq as own_read_seq, coalesce(m.last_reply_at, m.created_at) as listed_at, {LATEST} as latest
{_FOLLOWED}
  and (not $3 or m.last_thread_seq > place.last_read_seq)
  and ($4::timestamptz is null or (coalesce(m.last_reply_at, m.created_at), m.id) < ($4, $5::uuid))
order by coalesce(m.last_reply_at, m.created_at) desc, m.id desc
limit $6
"""

# What has no number in its thread is seen by its author alone, or waits for a moderator.
_LAST_REPLIES = f"""
select {COLUMNS}
from unnest($1::uuid[]) as wanted (parent_id)
cross join lateral (
  select *
  from message
  where message.parent_id = wanted.parent_id and message.deleted_at is null and message.thread_seq is not null
  order by message.thread_seq desc
  limit 1
) as m
"""

_COUNT_UNREAD = f"""
select count(*) as threads, coalesce(sum(m.last_thread_seq - place.last_read_seq), 0)::bigint as replies
{_FOLLOWED}
  and m.last_thread_seq > place.last_read_seq and coalesce(member.muted_until <= $3, true)
  and not (member.hidden and channel.last_seq <= member.hidden_seq)
"""
