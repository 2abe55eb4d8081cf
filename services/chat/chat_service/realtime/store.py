"""SQL of realtime: how far topics are, what they went through, and who may follow what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chat_service.sync.store import Past
from chatsdk_contracts.ids import AppId, ChannelId, UserId
from chatsdk_runtime.postgres import Connection


@dataclass(frozen=True, slots=True)
class LoggedVersion:
    """An event as the log has it; `pos` is None while it has no position."""

    version: int
    type: str
    lane: int
    pos: int | None
    body: bytes


@dataclass(frozen=True, slots=True)
class UserHead:
    """How far a user's own topic is, and what only the user sees."""

    version: int
    state_version: int


async def channel_heads(connection: Connection, channels: Sequence[ChannelId]) -> dict[ChannelId, int]:
    """The version of each channel."""
    rows = await connection.fetch(
        "select id, cv from channel where id = any($1::uuid[])", [UUID(one) for one in channels]
    )
    return {ChannelId(str(row["id"])): row["cv"] for row in rows}


async def member_counts(connection: Connection, channels: Sequence[ChannelId]) -> dict[ChannelId, int]:
    """How many members each channel has."""
    rows = await connection.fetch(
        "select id, member_count from channel where id = any($1::uuid[])", [UUID(one) for one in channels]
    )
    return {ChannelId(str(row["id"])): row["member_count"] for row in rows}


async def user_heads(
    connection: Connection, users: Sequence[tuple[AppId, UserId]]
) -> dict[tuple[AppId, UserId], UserHead]:
    """The versions of each user."""
    rows = await connection.fetch(_USER_HEADS, [UUID(app) for app, _ in users], [user for _, user in users])
    return {
        (AppId(str(row["app_id"])), row["id"]): UserHead(row["version"], row["state_version"]) for row in rows
    }


async def channels_of(connection: Connection, app_id: AppId, user_id: UserId) -> list[ChannelId]:
    """The channels that a user is in."""
    rows = await connection.fetch(_CHANNELS_OF, UUID(app_id), user_id)
    return [ChannelId(str(row["channel_id"])) for row in rows]


async def allowed(
    connection: Connection, app_id: AppId, user_id: UserId, channels: Sequence[ChannelId]
) -> frozenset[ChannelId]:
    """Which of these channels the user is in."""
    rows = await connection.fetch(_ALLOWED, UUID(app_id), user_id, [UUID(one) for one in channels])
    return frozenset(ChannelId(str(row["channel_id"])) for row in rows)


async def joined_at_versions(
    connection: Connection, app_id: AppId, user_id: UserId, channels: Sequence[ChannelId]
) -> dict[ChannelId, int]:
    """The versions with which a user came into those of these channels that they are in."""
    rows = await connection.fetch(_JOINED_AT, UUID(app_id), user_id, [UUID(one) for one in channels])
    return {ChannelId(str(row["channel_id"])): row["joined_cv"] for row in rows}


async def pasts(connection: Connection, app_id: AppId, user_id: UserId) -> list[Past]:
    """The channels that a user is not in any more, and those that were deleted while they were."""
    rows = await connection.fetch(_PASTS, UUID(app_id), user_id)
    return [Past(ChannelId(str(row["channel_id"])), row["cv"], row["reason"]) for row in rows]


async def joined_since(
    connection: Connection, users: Sequence[tuple[AppId, UserId]], since: datetime
) -> list[tuple[AppId, UserId, ChannelId]]:
    """Which of these users came into which channels since a time, and are in them."""
    rows = await connection.fetch(
        _JOINED_SINCE, [UUID(app) for app, _ in users], [user for _, user in users], since
    )
    return [(AppId(str(row["app_id"])), row["user_id"], ChannelId(str(row["channel_id"]))) for row in rows]


async def versions_behind(
    connection: Connection, subject: str, lane: int, app_id: AppId | None, *, after: int, limit: int
) -> list[LoggedVersion]:
    """A subject's events behind a version, oldest first; of more than `limit` the newest.

    They are read from the newest back, so that a long history costs nothing.
    """
    rows = await connection.fetch(
        _VERSIONS_BEHIND, subject, lane, None if app_id is None else UUID(app_id), after, limit
    )
    found = [LoggedVersion(row["version"], row["type"], lane, row["lane_pos"], row["body"]) for row in rows]
    return found[::-1]


_USER_HEADS = """
select u.app_id, u.id, u.version, u.state_version
from unnest($1::uuid[], $2::text[]) as wanted (app_id, id)
join app_user u on u.app_id = wanted.app_id and u.id = wanted.id
"""

_CHANNELS_OF = """
select m.channel_id
from channel_member m
join channel c on c.id = m.channel_id
where m.app_id = $1 and m.user_id = $2 and c.deleted_at is null
"""

_ALLOWED = """
select m.channel_id
from channel_member m
join channel c on c.id = m.channel_id
where m.app_id = $1 and m.user_id = $2 and m.channel_id = any($3::uuid[]) and c.deleted_at is null
"""

_JOINED_AT = """
select channel_id, joined_cv
from channel_member
where app_id = $1 and user_id = $2 and channel_id = any($3::uuid[])
"""

_PASTS = """
select channel_id, cv, reason
from departure
where app_id = $1 and user_id = $2
union all
select m.channel_id, c.cv, 'deleted'
from channel_member m
join channel c on c.id = m.channel_id
where m.app_id = $1 and m.user_id = $2 and c.deleted_at is not null
"""

_JOINED_SINCE = """
select m.app_id, m.user_id, m.channel_id
from unnest($1::uuid[], $2::text[]) as wanted (app_id, id)
join channel_member m on m.app_id = wanted.app_id and m.user_id = wanted.id and m.joined_at >= $3
join channel c on c.id = m.channel_id and c.deleted_at is null
"""

# A user id is unique within its app only; a channel's subject needs no app.
_VERSIONS_BEHIND = """
select version, type, lane_pos, body
from (
  (
    select version, type, lane_pos, body
    from event
    where subject = $1 and lane_pos is not null and version is not null and ($3::uuid is null or app_id = $3)
    order by lane_pos desc
    limit $5
  )
  union all
  select version, type, lane_pos, body
  from event
  where lane = $2 and subject = $1 and lane_pos is null and version is not null
    and ($3::uuid is null or app_id = $3)
) e
where version > $4
order by version desc
limit $5
"""
