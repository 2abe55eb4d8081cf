"""SQL of looking at presence: only users who share a channel see each other, and none of whom one blocked the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from chatsdk_contracts.ids import AppId, ChannelId, UserId
from chatsdk_contracts.presence import Presence, PresenceStatus
from chatsdk_runtime.postgres import Connection, Row


@dataclass(frozen=True, slots=True)
class Look:
    """Somebody who looks at somebody."""

    app_id: AppId
    viewer_id: UserId
    user_id: UserId


async def seen_by(connection: Connection, looks: Sequence[Look]) -> dict[Look, Presence]:
    """What is seen, for those of the looks that are allowed now."""
    rows = await connection.fetch(
        _SEEN_BY,
        [UUID(one.app_id) for one in looks],
        [one.viewer_id for one in looks],
        [one.user_id for one in looks],
    )
    return {
        Look(AppId(str(row["app_id"])), UserId(row["viewer_id"]), UserId(row["user_id"])): _presence(row)
        for row in rows
    }


async def seen_by_server(
    connection: Connection, app_id: AppId, users: Sequence[UserId]
) -> dict[UserId, Presence]:
    """The same for the app's server, which sees all of its users."""
    rows = await connection.fetch(_SEEN_BY_SERVER, UUID(app_id), list(users))
    return {UserId(row["user_id"]): _presence(row) for row in rows}


async def shown_now(
    connection: Connection, users: Sequence[tuple[AppId, UserId]]
) -> dict[tuple[AppId, UserId], PresenceStatus]:
    """How these users are shown, those that were ever there."""
    rows = await connection.fetch(_SHOWN_NOW, [UUID(app) for app, _ in users], [user for _, user in users])
    return {(AppId(str(row["app_id"])), UserId(row["user_id"])): row["shown"] for row in rows}


async def members(
    connection: Connection, channel_id: ChannelId, viewer_id: UserId | None, *, is_there: bool, limit: int
) -> list[Presence]:
    """Members by id, of those who are there or those who are not, as the viewer sees them."""
    rows = await connection.fetch(_MEMBERS, UUID(channel_id), viewer_id, is_there, limit)
    return [_presence(row) for row in rows]


async def count_members(connection: Connection, channel_id: ChannelId) -> tuple[int, int]:
    """How many members are there, and how many there are."""
    row = await connection.fetchrow(_COUNT, UUID(channel_id))
    assert row is not None, "an aggregate is one row"
    return row["present"], row["total"]


def _presence(row: Row) -> Presence:
    status: PresenceStatus = row["shown"]
    return Presence(user_id=UserId(row["user_id"]), status=status, last_seen_at=row["last_seen_at"])


_SEEN_BY = """
select look.app_id, look.viewer_id, look.user_id, coalesce(place.shown, 'offline') as shown, place.last_seen_at
from unnest($1::uuid[], $2::text[], $3::text[]) as look (app_id, viewer_id, user_id)
left join user_presence as place on place.app_id = look.app_id and place.user_id = look.user_id
where look.viewer_id = look.user_id or (
  exists (
    select 1
    from channel_member as theirs
    join channel_member as own on own.channel_id = theirs.channel_id and own.user_id = look.viewer_id
    join channel on channel.id = theirs.channel_id and channel.deleted_at is null
    where theirs.app_id = look.app_id and theirs.user_id = look.user_id
  )
  and not exists (
    select 1
    from user_block as block
    where block.app_id = look.app_id
      and (block.user_id, block.blocked_id) in ((look.user_id, look.viewer_id), (look.viewer_id, look.user_id))
  )
)
"""

_SEEN_BY_SERVER = """
select app_user.id as user_id, coalesce(place.shown, 'offline') as shown, place.last_seen_at
from app_user
left join user_presence as place on place.app_id = app_user.app_id and place.user_id = app_user.id
where app_user.app_id = $1 and app_user.id = any($2::text[])
"""

_SHOWN_NOW = """
select app_id, user_id, shown
from user_presence
join unnest($1::uuid[], $2::text[]) as wanted (app_id, user_id) using (app_id, user_id)
"""

_MEMBERS = """
select member.user_id, coalesce(place.shown, 'offline') as shown, place.last_seen_at
from channel_member as member
left join user_presence as place on place.app_id = member.app_id and place.user_id = member.user_id
where member.channel_id = $1 and (coalesce(place.shown, 'offline') <> 'offline') = $3
  and not exists (
    select 1
    from user_block as block
    where block.app_id = member.app_id
      and (block.user_id, block.blocked_id) in ((member.user_id, $2), ($2, member.user_id))
  )
order by member.user_id
limit $4
"""

_COUNT = """
select count(*) filter (where place.shown <> 'offline') as present, count(*) as total
from channel_member as member
left join user_presence as place on place.app_id = member.app_id and place.user_id = member.user_id
where member.channel_id = $1
"""
