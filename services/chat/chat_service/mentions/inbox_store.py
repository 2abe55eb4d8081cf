"""SQL of one user's inbox: what it holds is judged on reading.

A mention is there while its user is a member since before it, the message is shown to them and still mentions them, and
they have not blocked its author. It is read when its message is: with the channel's marker, a reply with the thread's; or
when the user said so. What was said to a whole channel is one row, found through the channels that the reader is in.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from chat_service.messages.store import COLUMNS, TIMELINE_SEQ
from chatsdk_contracts.ids import AppId, UserId
from chatsdk_runtime.postgres import Connection, Row, Transaction


async def list_mentions(
    connection: Connection,
    app_id: AppId,
    user_id: UserId,
    *,
    unread: bool,
    before: tuple[datetime, UUID | None] | None,
    limit: int,
) -> Sequence[Row]:
    """A user's inbox with the messages, the newest first; before a mention, or (without an id) before a time."""
    at, mention_id = before or (None, None)
    query = _LIST_UNREAD if unread else _LIST
    return await connection.fetch(query, UUID(app_id), user_id, at, mention_id or _BEFORE_EVERY_ID, limit)


async def count_unread(connection: Connection, app_id: AppId, user_id: UserId, now: datetime) -> int:
    """How many are unread; what was said to a whole channel counts only where it is neither muted nor hidden."""
    count: int = await connection.fetchval(_COUNT_UNREAD, UUID(app_id), user_id, now)
    return count


async def mark_read(
    tx: Transaction, app_id: AppId, user_id: UserId, mention_ids: Sequence[str] | None, now: datetime
) -> None:
    """Mark these mentions of the user, or (None) all that are unread, as read; what is no mention of theirs is left."""
    ids = None if mention_ids is None else [UUID(one) for one in mention_ids]
    await tx.execute(_MARK_READ, UUID(app_id), user_id, ids, now)


# An id that every other is greater than.
_BEFORE_EVERY_ID = UUID(int=0)

# Where the user is, from when on, what of it is shown, and how far it is read.
_MINE = """
mine as materialized (
  select place.channel_id, place.joined_cv, place.last_read_seq, place.muted_until,
    greatest(channel.truncated_seq, place.cleared_seq) as floor_seq,
    place.hidden and channel.last_seq <= place.hidden_seq as hidden
  from channel_member as place
  join channel on channel.id = place.channel_id
  where place.app_id = $1 and place.user_id = $2 and channel.deleted_at is null
)
"""

_SHOWN = f"""(
    mention.cv > mine.joined_cv and m.deleted_at is null and {TIMELINE_SEQ} > mine.floor_seq
    and not exists (
      select from user_block as block
      where block.app_id = $1 and block.user_id = $2 and block.blocked_id = mention.mentioned_by
    )
  )"""

_TO_ONE = "mention.app_id = $1 and mention.user_id = $2 and $2 = any(m.mentions)"

# Who is named besides has that mention alone.
_TO_ALL = """mention.user_id is null and mention.mentioned_by <> $2 and 'channel' = any(m.mention_groups)
      and $2 <> all(m.mentions)"""

_IS_MARKED = (
    "exists (select from mention_read as mark where mark.mention_id = mention.id and mark.user_id = $2)"
)

_IS_READ = f"""(
      case
        when mention.parent_id is null then mention.seq <= mine.last_read_seq
        else mention.thread_seq <= coalesce((
          select thread.last_read_seq
          from thread_place as thread
          where thread.parent_id = mention.parent_id and thread.user_id = $2
        ), 0)
      end or {_IS_MARKED}
    )"""

_ON_PAGE = """($3::timestamptz is null or (mention.created_at, mention.id) < ($3, $4::uuid))
    order by mention.created_at desc, mention.id desc
    limit $5"""

_ALL = f"""
{_MINE}, found as (
  (
    select mention.id, {_IS_READ} as is_read
    from mention
    join mine on mine.channel_id = mention.channel_id
    join message m on m.id = mention.message_id
    where {_TO_ONE} and {_SHOWN} and {_ON_PAGE}
  )
  union all
  select every.id, every.is_read
  from mine
  cross join lateral (
    select mention.id, {_IS_READ} as is_read
    from mention
    join message m on m.id = mention.message_id
    where mention.channel_id = mine.channel_id and {_TO_ALL} and {_SHOWN} and {_ON_PAGE}
  ) as every
)
"""

# Behind the markers only: what is read costs nothing, however much there is of it.
_UNREAD = f"""
{_MINE}, behind as (
  select found.id, null::timestamptz as muted_until, false as hidden
  from mine
  cross join lateral (
    select mention.id
    from mention
    join message m on m.id = mention.message_id
    where mention.channel_id = mine.channel_id and mention.seq > greatest(mine.last_read_seq, mine.floor_seq)
      and {_TO_ONE} and {_SHOWN}
  ) as found
  union all
  select mention.id, null, false
  from thread_place as thread
  join mine on mine.channel_id = thread.channel_id
  join mention on mention.parent_id = thread.parent_id and mention.thread_seq > thread.last_read_seq
  join message m on m.id = mention.message_id
  where thread.app_id = $1 and thread.user_id = $2 and {_TO_ONE} and {_SHOWN}
  union all
  select found.id, mine.muted_until, mine.hidden
  from mine
  cross join lateral (
    select mention.id
    from mention
    join message m on m.id = mention.message_id
    where mention.channel_id = mine.channel_id and mention.seq > greatest(mine.last_read_seq, mine.floor_seq)
      and {_TO_ALL} and {_SHOWN}
    union all
    select mention.id
    from mention
    join message m on m.id = mention.message_id
    where mention.channel_id = mine.channel_id and mention.parent_id is not null
      and {_TO_ALL} and {_SHOWN} and not {_IS_READ}
  ) as found
), unread as (
  select *
  from behind as mention
  where not {_IS_MARKED}
)
"""

_UNREAD_ON_PAGE = f"""
{_UNREAD}, found as (
  select mention.id, false as is_read
  from unread
  join mention on mention.id = unread.id
  where {_ON_PAGE}
)
"""

_MENTIONS = f"""
select {COLUMNS}, mention.id as mention_id, mention.created_at as mentioned_at, mention.mentioned_by,
  mention.user_id is null as to_all, found.is_read, channel.name as channel_name,
  mentioner.name as mentioner_name, mentioner.image as mentioner_image
from found
join mention on mention.id = found.id
join message m on m.id = mention.message_id
join channel on channel.id = mention.channel_id
left join app_user as mentioner on mentioner.app_id = $1 and mentioner.id = mention.mentioned_by
order by mention.created_at desc, mention.id desc
limit $5
"""

_LIST = f"with {_ALL} {_MENTIONS}"

_LIST_UNREAD = f"with {_UNREAD_ON_PAGE} {_MENTIONS}"

_COUNT_UNREAD = f"""
with {_UNREAD}
select count(*)
from unread
where coalesce(muted_until <= $3, true) and not hidden
"""

_MARK_READ = f"""
with {_UNREAD}
insert into mention_read (app_id, user_id, mention_id, read_at)
select $1, $2, id, $4
from unread
where $3::uuid[] is null or id = any($3)
on conflict (mention_id, user_id) do nothing
"""
