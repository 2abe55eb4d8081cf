"""SQL of notifications: which apps want them, in which channels something is due, for whom. Times are the database's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chat_service.apps.settings_model import AppSettings
from chat_service.notifications.rules import Wish
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, UserId
from chatsdk_runtime.postgres import Connection, Transaction


@dataclass(frozen=True, slots=True)
class Due:
    """A member who is to be told, and the first of the messages that they have not read."""

    user_id: UserId
    message_id: MessageId
    is_mentioned: bool
    created_at: datetime


async def read_wishes(connection: Connection) -> list[Wish]:
    """Of every app that wants to be told of unread messages."""
    rows = await connection.fetch("select id, settings from app where settings ? 'notifyAfter'")
    wishes = [
        Wish(AppId(str(row["id"])), AppSettings.model_validate_json(row["settings"]).notify_after)
        for row in rows
    ]
    return [wish for wish in wishes if wish.after.is_wanted]


async def database_time(connection: Connection) -> datetime:
    """What the database's clock says."""
    now: datetime = await connection.fetchval("select clock_timestamp()")
    return now


async def begin_scan(connection: Connection, app_id: AppId, interval_s: float) -> datetime | None:
    """Up to when the app is done with; None if a replica looked within the interval. An app that is new begins now."""
    await connection.execute(_OPEN_SCAN, UUID(app_id))
    until: datetime | None = await connection.fetchval(_BEGIN_SCAN, UUID(app_id), interval_s)
    return until


async def end_scan(connection: Connection, app_id: AppId, until: datetime) -> None:
    """Remember up to when the app is done with."""
    await connection.execute(_END_SCAN, UUID(app_id), until)


async def active_channels(connection: Connection, app_id: AppId, since: datetime) -> list[ChannelId]:
    """Channels in which something was said since."""
    return [ChannelId(str(row["id"])) for row in await connection.fetch(_ACTIVE, UUID(app_id), since)]


async def take_due(
    tx: Transaction,
    channel_id: ChannelId,
    due_since: tuple[datetime | None, datetime | None],
    *,
    since: datetime,
    largest: int,
) -> Sequence[Due]:
    """Note whom the app is told of now; in a channel of more than `largest` members, who was named since alone."""
    rows = await tx.fetch(_TAKE_DUE, UUID(channel_id), *due_since, largest, since)
    return [
        Due(row["user_id"], MessageId(str(row["message_id"])), row["is_mentioned"], row["created_at"])
        for row in rows
    ]


_OPEN_SCAN = """
insert into notification_scan (app_id, scanned_until, looked_at) values ($1, now(), '-infinity') on conflict do nothing
"""

# Two replicas that look at once do no harm: whom one tells, the other finds told.
_BEGIN_SCAN = """
update notification_scan set looked_at = now()
where app_id = $1 and looked_at <= now() - make_interval(secs => $2)
returning scanned_until
"""

_END_SCAN = "update notification_scan set scanned_until = $2 where app_id = $1 and scanned_until < $2"

_ACTIVE = """
select id from channel
where app_id = $1 and last_message_at > $2 and deleted_at is null
order by last_message_at
"""

# Of what a member has not read, that counts whose time has come, that is not their own, is not silent, is no secret of
# its author's, and is by nobody whom they block or mute.
_TOLD = """m.created_at <= place.due_since and m.user_id <> place.user_id and not m.silent
      and m.type = 'regular' and m.deleted_at is null
      and not exists (
        select from user_block where app_id = place.app_id and user_id = place.user_id and blocked_id = m.user_id
      )
      and not exists (
        select from user_mute where app_id = place.app_id and user_id = place.user_id and muted_id = m.user_id
      )"""

# Members whom somebody else changes now are left for the next look.
_TAKE_DUE = f"""
with place as (
  select member.channel_id, member.user_id, member.app_id, member.read_generation, member.last_read_seq,
    greatest(member.last_read_seq, member.cleared_seq, channel.truncated_seq) as read_seq,
    case when coalesce(presence.shown, 'offline') = 'offline' then greatest($2::timestamptz, $3::timestamptz)
      else $3::timestamptz end as due_since
  from channel
  join channel_member member on member.channel_id = channel.id
  join app_user on app_user.app_id = member.app_id and app_user.id = member.user_id
    and app_user.deactivated_at is null
  left join user_presence presence on presence.app_id = member.app_id and presence.user_id = member.user_id
  where channel.id = $1 and channel.last_seq > greatest(member.last_read_seq, member.cleared_seq, channel.truncated_seq)
    and (member.told_generation, member.told_read_seq)
      is distinct from (member.read_generation, member.last_read_seq)
    and (member.muted_until is null or member.muted_until < now())
    and (
      channel.member_count <= $4
      or exists (
        select from mention
        where mention.channel_id = channel.id and mention.user_id = member.user_id and mention.created_at > $5
      )
    )
  order by member.user_id
  for no key update of member skip locked
), due as (
  select place.*, first.id as message_id, first.seq, first.created_at
  from place
  cross join lateral (
    select m.id, m.seq, m.created_at
    from message m
    where m.channel_id = place.channel_id and m.seq > place.read_seq and {_TOLD}
    order by m.seq
    limit 1
  ) as first
), told as (
  update channel_member as member
  set told_generation = due.read_generation, told_read_seq = due.last_read_seq
  from due
  where member.channel_id = due.channel_id and member.user_id = due.user_id
)
select place.user_id, coalesce(named.message_id, place.message_id) as message_id, place.created_at,
  named.message_id is not null as is_mentioned
from due as place
left join lateral (
  select mention.message_id
  from mention
  join message m on m.id = mention.message_id
  where mention.channel_id = place.channel_id and mention.seq > place.read_seq
    and (mention.user_id = place.user_id or mention.user_id is null)
    and {_TOLD}
  order by mention.seq
  limit 1
) as named on true
order by place.user_id
"""
