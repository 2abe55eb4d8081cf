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
_PLACE = """
  select place.channel_id, place.joined_cv, place.last_read_seq, place.muted_until,
    greatest(channel.truncated_seq, place.cleared_seq) as floor_seq,
    place.hidden and channel.last_seq <= place.hidden_seq as hidden
  from channel_member as place
  join channel on channel.id = place.channel_id
  where place.app_id = $1 and place.user_id = $2 and channel.deleted_at is null
"""

_MINE = f"mine as materialized ({_PLACE})"

# A deleted message mentions nobody.
_SHOWN = f"""{TIMELINE_SEQ} > mine.floor_seq
      and not exists (
        select from user_block as block
        where block.app_id = $1 and block.user_id = $2 and block.blocked_id = mention.mentioned_by
      )"""

# Looked up one by one, in the order of the mentions, so that a page reads little more than itself.
_TO_ONE = f"""
    cross join lateral (
      select from message m
      where m.id = mention.message_id and $2 = any(m.mentions) and {_SHOWN}
      limit 1
    ) as shown
"""

# Who is named besides has that mention alone.
_TO_ALL = f"""
    cross join lateral (
      select from message m
      where m.id = mention.message_id and 'channel' = any(m.mention_groups) and $2 <> all(m.mentions) and {_SHOWN}
      limit 1
    ) as shown
"""

_FOUND = "mention.id, mention.created_at, mention.channel_id, mention.message_id, mention.user_id, mention.mentioned_by"

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

_IS_BEFORE = "($3::timestamptz is null or (mention.created_at, mention.id) < ($3, $4::uuid))"

_PAGE = "order by mention.created_at desc, mention.id desc limit $5"

_ALL = f"""
{_MINE}, found as materialized (
  (
    select {_FOUND}, {_IS_READ} as is_read
    from mention
    cross join lateral ({_PLACE} and place.channel_id = mention.channel_id limit 1) as mine
    {_TO_ONE}
    where mention.app_id = $1 and mention.user_id = $2 and mention.cv > mine.joined_cv and {_IS_BEFORE}
    {_PAGE}
  )
  union all
  (
    select {_FOUND}, {_IS_READ} as is_read
    from (
      select mention.*, mine.floor_seq, mine.last_read_seq
      from mine
      join mention on mention.channel_id = mine.channel_id
      where mention.user_id is null and mention.mentioned_by <> $2 and mention.cv > mine.joined_cv and {_IS_BEFORE}
      order by mention.created_at desc, mention.id desc
    ) as mention
    cross join lateral (select mention.floor_seq, mention.last_read_seq) as mine
    {_TO_ALL}
    {_PAGE}
  )
)
"""

# Behind the markers only: what is read costs nothing, however much there is of it.
_UNREAD = f"""
{_MINE}, behind as (
  select found.*, null::timestamptz as muted_until, false as hidden
  from mine
  cross join lateral (
    select {_FOUND}
    from mention
    {_TO_ONE}
    where mention.channel_id = mine.channel_id and mention.user_id = $2 and mention.cv > mine.joined_cv
      and mention.seq > greatest(mine.last_read_seq, mine.floor_seq)
  ) as found
  union all
  select {_FOUND}, null, false
  from mention
  join thread_place as thread on thread.parent_id = mention.parent_id and thread.user_id = $2
  join mine on mine.channel_id = mention.channel_id
  {_TO_ONE}
  where mention.app_id = $1 and mention.user_id = $2 and mention.parent_id is not null
    and mention.thread_seq > thread.last_read_seq and mention.cv > mine.joined_cv
  union all
  select found.*, mine.muted_until, mine.hidden
  from mine
  cross join lateral (
    select {_FOUND}
    from mention
    {_TO_ALL}
    where mention.channel_id = mine.channel_id and mention.user_id is null and mention.mentioned_by <> $2
      and mention.cv > mine.joined_cv and mention.seq > greatest(mine.last_read_seq, mine.floor_seq)
    union all
    select {_FOUND}
    from mention
    {_TO_ALL}
    where mention.channel_id = mine.channel_id and mention.user_id is null and mention.mentioned_by <> $2
      and mention.cv > mine.joined_cv and mention.parent_id is not null and not {_IS_READ}
  ) as found
), unread as (
  select *
  from behind as mention
  where not {_IS_MARKED}
)
"""

_ALL_UNREAD = f"""
{_UNREAD}, found as materialized (
  select {_FOUND}, false as is_read
  from unread as mention
  where {_IS_BEFORE}
  {_PAGE}
)
"""

_MENTIONS = f"""
select {COLUMNS}, found.id as mention_id, found.created_at as mentioned_at, found.mentioned_by,
  found.user_id is null as to_all, found.is_read, channel.name as channel_name,
  mentioner.name as mentioner_name, mentioner.image as mentioner_image
from (select * from found order by found.created_at desc, found.id desc limit $5) as found
cross join lateral (select * from message where message.id = found.message_id limit 1) as m
cross join lateral (select name from channel where channel.id = found.channel_id limit 1) as channel
left join app_user as mentioner on mentioner.app_id = $1 and mentioner.id = found.mentioned_by
order by found.created_at desc, found.id desc
"""

_LIST = f"with {_ALL} {_MENTIONS}"

_LIST_UNREAD = f"with {_ALL_UNREAD} {_MENTIONS}"

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
