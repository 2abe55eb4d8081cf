"""SQL of channel lists: a user's channels with what the user keeps about each, a workspace's, the open ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from chat_service.channels.store import channel_of
from chat_service.channels.views import ViewedChannel
from chatsdk_contracts.channels import Channel
from chatsdk_contracts.ids import AppId, ChannelId, UserId, WorkspaceId
from chatsdk_contracts.wire import format_time
from chatsdk_runtime.postgres import Connection, Row

Sort = Literal["lastMessageAt", "createdAt", "name", "unread"]


@dataclass(frozen=True, slots=True)
class Filters:
    """Which channels to list; None is any. `hidden` False leaves out those that the user hides."""

    type: str | None = None
    workspace_id: WorkspaceId | None = None
    starred: bool | None = None
    muted: bool | None = None
    unread: bool = False
    hidden: bool | None = None
    name_prefix: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a list goes on: behind the channel with this sort key and id."""

    key: datetime | str | int
    id: UUID


@dataclass(frozen=True, slots=True)
class Listed:
    """A channel of a list, with its sort key as text."""

    channel: ViewedChannel
    key: str


async def list_channels(
    connection: Connection,
    app_id: AppId,
    user_id: UserId | None,
    filters: Filters,
    *,
    sort: Sort,
    behind: Place | None,
    window: tuple[datetime, int],
) -> list[Listed]:
    """A user's channels, or all of the app's. `window`: the present time, and how many at most."""
    now, limit = window
    source = _OF_APP if user_id is None else _OF_USER
    rows = await connection.fetch(
        _SELECT + source + _FILTERS + _SORTS[sort],
        UUID(app_id),
        user_id,
        filters.type,
        None if filters.workspace_id is None else UUID(filters.workspace_id),
        filters.starred,
        filters.muted,
        filters.unread,
        filters.hidden,
        filters.name_prefix,
        now,
        None if behind is None else behind.key,
        None if behind is None else behind.id,
        limit,
    )
    return [Listed(_viewed(row, now), _key_text(row[_SORT_COLUMNS[sort]])) for row in rows]


async def fetch_view(
    connection: Connection, app_id: AppId, channel_id: ChannelId, user_id: UserId | None, *, now: datetime
) -> ViewedChannel | None:
    """One channel as a user sees it."""
    row = await connection.fetchrow(_FETCH_VIEW, UUID(app_id), user_id, UUID(channel_id))
    return None if row is None else _viewed(row, now)


async def list_of_workspace(
    connection: Connection,
    app_id: AppId,
    workspace_id: WorkspaceId,
    user_id: UserId | None,
    *,
    before: UUID | None,
    window: tuple[datetime, int],
) -> list[ViewedChannel]:
    """A workspace's channels that the user is in or may join, newest first; None sees all."""
    now, limit = window
    rows = await connection.fetch(
        _LIST_OF_WORKSPACE, UUID(app_id), user_id, UUID(workspace_id), before, limit
    )
    return [_viewed(row, now) for row in rows]


async def list_open(
    connection: Connection,
    app_id: AppId,
    user_id: UserId | None,
    filters: Filters,
    *,
    behind: tuple[str, UUID] | None,
    limit: int,
) -> Sequence[tuple[Channel, str]]:
    """Open channels by name that the user is not in and may join, each with its sort key; None sees all."""
    key, row_id = behind or ("", UUID(int=0))
    rows = await connection.fetch(
        _LIST_OPEN, UUID(app_id), user_id, filters.type, filters.name_prefix or "", key, row_id, limit
    )
    return [(channel_of(row), row["name_key"]) for row in rows]


def _key_text(key: datetime | str | int) -> str:
    return format_time(key) if isinstance(key, datetime) else str(key)


def _viewed(row: Row, now: datetime) -> ViewedChannel:
    muted_until: datetime | None = row["muted_until"]
    place: dict[str, Any] = {"truncated_seq": row["floor_seq"]}
    if row["role"] is not None:
        place |= {
            "role": row["role"],
            "unread_count": row["unread"],
            "last_read_seq": row["last_read_seq"],
            "read_generation": row["read_generation"],
            "muted": muted_until is not None and muted_until > now,
            "muted_until": muted_until,
            "starred": row["starred"],
            "hidden": row["is_hidden"],
        }
    return ViewedChannel(**dict(channel_of(row)), **place)


_SELECT = """
select channel.*, place.role, place.last_read_seq, place.read_generation, place.muted_until, place.starred, seen.*
"""

# What is computed of a channel and a user's place in it; the place may be missing.
_SEEN = """
cross join lateral (
  select
    greatest(channel.truncated_seq, place.cleared_seq) as floor_seq,
    coalesce(place.hidden and channel.last_seq <= place.hidden_seq, false) as is_hidden,
    greatest(channel.last_seq - greatest(place.last_read_seq, channel.truncated_seq, place.cleared_seq), 0) as unread,
    date_trunc('milliseconds', coalesce(channel.last_message_at, channel.created_at)) as activity,
    date_trunc('milliseconds', channel.created_at) as made,
    lower(coalesce(channel.name, '')) collate "C" as name_key
) as seen
"""

# `offset 0` keeps the planner from joining by a scan of all channels: a user's few are looked up one by one.
_OF_USER = f"""
from channel_member as place
cross join lateral (select * from channel where id = place.channel_id offset 0) as channel
{_SEEN}
where place.app_id = $1 and place.user_id = $2
"""

_OF_APP = f"""
from channel
left join channel_member as place on place.channel_id = channel.id and place.user_id = $2::text
{_SEEN}
where channel.app_id = $1
"""

_FILTERS = """
  and channel.deleted_at is null
  and ($3::text is null or channel.type = $3)
  and ($4::uuid is null or channel.workspace_id = $4)
  and ($5::boolean is null or place.starred = $5)
  and ($6::boolean is null or coalesce(place.muted_until > $10::timestamptz, false) = $6)
  and (not $7::boolean or seen.unread > 0)
  and ($8::boolean is null or seen.is_hidden = $8)
  and ($9::text is null or starts_with(lower(channel.name), lower($9)))
"""

_SORT_COLUMNS: Mapping[Sort, str] = {
    "lastMessageAt": "activity",
    "createdAt": "made",
    "name": "name_key",
    "unread": "unread",
}

_SORTS: Mapping[Sort, str] = {
    "lastMessageAt": """
  and ($11::timestamptz is null or (seen.activity, channel.id) < ($11, $12::uuid))
order by seen.activity desc, channel.id desc
limit $13
""",
    "createdAt": """
  and ($11::timestamptz is null or (seen.made, channel.id) < ($11, $12::uuid))
order by seen.made desc, channel.id desc
limit $13
""",
    "name": """
  and ($11::text is null or (seen.name_key, channel.id) > ($11, $12::uuid))
order by seen.name_key, channel.id
limit $13
""",
    "unread": """
  and ($11::bigint is null or (seen.unread, channel.id) < ($11, $12::uuid))
order by seen.unread desc, channel.id desc
limit $13
""",
}

_FETCH_VIEW = f"""
{_SELECT}
{_OF_APP}
  and channel.id = $3 and channel.deleted_at is null
"""

_LIST_OF_WORKSPACE = f"""
{_SELECT}
{_OF_APP}
  and channel.workspace_id = $3 and channel.deleted_at is null
  and ($4::uuid is null or channel.id < $4)
  and (
    $2::text is null or place.user_id is not null
    or (
      channel.type in ('public', 'team', 'livestream')
      and coalesce((channel.config ->> 'private')::boolean, false) = false
    )
  )
order by channel.id desc
limit $5
"""

_LIST_OPEN = """
select channel.*, lower(coalesce(channel.name, '')) collate "C" as name_key
from channel
where channel.app_id = $1 and channel.deleted_at is null
  and channel.type in ('public', 'team', 'livestream')
  and coalesce((channel.config ->> 'private')::boolean, false) = false
  and ($3::text is null or channel.type = $3)
  and lower(coalesce(channel.name, '')) collate "C" >= lower($4::text)
  and lower(coalesce(channel.name, '')) collate "C" < lower($4::text) || chr(1114111)
  and (lower(coalesce(channel.name, '')) collate "C", channel.id) > ($5::text, $6::uuid)
  and (
    $2::text is null
    or (
      not exists (
        select from channel_member where channel_id = channel.id and user_id = $2
      )
      and (
        channel.workspace_id is null
        or exists (
          select from workspace_member where workspace_id = channel.workspace_id and user_id = $2
        )
      )
    )
  )
order by lower(coalesce(channel.name, '')) collate "C", channel.id
limit $7
"""
