"""SQL of read receipts and unread counts. A member's row orders their receipts; due times are the database's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chat_service.reads.views import Reader, UnreadCount
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, UserId
from chatsdk_runtime.postgres import Connection, Row, Transaction


@dataclass(frozen=True, slots=True)
class Told:
    """A receipt that is to be told now."""

    app_id: AppId
    channel_id: ChannelId
    user_id: UserId
    seq: int
    message_id: MessageId | None


async def take_receipt(tx: Transaction, channel_id: ChannelId, user_id: UserId) -> Told | None:
    """Note that a member has read on: what to tell now, or None when nothing is new or its time comes later."""
    row = await tx.fetchrow(_TAKE, UUID(channel_id), user_id)
    if row is None or not row["is_now"]:
        return None
    return _told(row)


async def take_due(tx: Transaction, limit: int) -> list[Told]:
    """Receipts whose second is over; those that another replica holds are its own."""
    return [_told(row) for row in await tx.fetch(_TAKE_DUE, limit) if row["is_told"]]


async def count_unread(connection: Connection, app_id: AppId, user_id: UserId, now: datetime) -> UnreadCount:
    """Over all channels of a user."""
    row = await connection.fetchrow(_COUNT_UNREAD, UUID(app_id), user_id, now)
    assert row is not None, "an aggregate is one row"
    return UnreadCount(count=row["unread"], channels=row["channels"])


async def list_readers(
    connection: Connection, channel_id: ChannelId, *, at_least: int, after: str, limit: int
) -> list[Reader]:
    """Members of whom it is known that they have read up to a seq at least, by user id."""
    rows = await connection.fetch(_LIST_READERS, UUID(channel_id), at_least, after, limit)
    return [
        Reader(
            user_id=row["user_id"],
            name=row["name"],
            image=row["image"],
            last_read_seq=row["receipt_seq"],
            told_at=row["receipt_told_at"],
        )
        for row in rows
    ]


def _told(row: Row) -> Told:
    message_id = row["message_id"]
    return Told(
        AppId(str(row["app_id"])),
        ChannelId(str(row["channel_id"])),
        row["user_id"],
        row["receipt_seq"],
        None if message_id is None else MessageId(str(message_id)),
    )


_MESSAGE_AT = """(
    select m.id from message m where m.channel_id = place.channel_id and m.seq <= place.last_read_seq
    order by m.seq desc limit 1
  )"""

_TAKE = f"""
with due as (
  select channel_id, user_id, coalesce(receipt_told_at <= now() - interval '1 second', true) as is_now
  from channel_member
  where channel_id = $1 and user_id = $2 and last_read_seq > receipt_seq
)
update channel_member as place
set receipt_seq = case when due.is_now then place.last_read_seq else place.receipt_seq end,
  receipt_told_at = case when due.is_now then now() else place.receipt_told_at end,
  receipt_due_at = case when due.is_now then null else place.receipt_told_at + interval '1 second' end
from due
where place.channel_id = due.channel_id and place.user_id = due.user_id
returning place.app_id, place.channel_id, place.user_id, place.receipt_seq, due.is_now, {_MESSAGE_AT} as message_id
"""

# Who was put back by "mark as unread", or may not tell any more, is not due and told nothing.
_TAKE_DUE = f"""
with due as (
  select place.channel_id, place.user_id,
    place.last_read_seq > place.receipt_seq
      and coalesce((channel.config ->> 'readEvents')::boolean, true) and channel.deleted_at is null as is_told
  from channel_member as place
  join channel on channel.id = place.channel_id
  where place.receipt_due_at <= now()
  order by place.receipt_due_at
  limit $1
  for no key update of place skip locked
)
update channel_member as place
set receipt_seq = case when due.is_told then place.last_read_seq else place.receipt_seq end,
  receipt_told_at = case when due.is_told then now() else place.receipt_told_at end,
  receipt_due_at = null
from due
where place.channel_id = due.channel_id and place.user_id = due.user_id
returning place.app_id, place.channel_id, place.user_id, place.receipt_seq, due.is_told, {_MESSAGE_AT} as message_id
"""

_COUNT_UNREAD = """
select coalesce(sum(behind.unread), 0)::bigint as unread, count(*) filter (where behind.unread > 0) as channels
from channel_member as place
join channel on channel.id = place.channel_id
cross join lateral (
  select channel.last_seq - greatest(place.last_read_seq, channel.truncated_seq, place.cleared_seq) as unread
) as behind
where place.app_id = $1 and place.user_id = $2 and channel.deleted_at is null and behind.unread > 0
  and coalesce(place.muted_until <= $3, true) and not (place.hidden and channel.last_seq <= place.hidden_seq)
"""

_LIST_READERS = """
select place.user_id, app_user.name, app_user.image, place.receipt_seq, place.receipt_told_at
from channel_member as place
join app_user on app_user.app_id = place.app_id and app_user.id = place.user_id
where place.channel_id = $1 and place.receipt_seq >= $2 and place.user_id > $3
order by place.user_id
limit $4
"""
