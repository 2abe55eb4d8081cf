"""SQL of channels. The row lock of a channel orders all writes in it; what decides is read after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from chatsdk_contracts.channels import Channel, ChannelConfig
from chatsdk_contracts.ids import AppId, ChannelId, UserId
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.postgres import Connection, Row, Transaction


@dataclass(frozen=True, slots=True)
class StoredChannel:
    """A channel, and whether it is the direct channel of two users."""

    channel: Channel
    is_direct: bool


async def insert_channel(tx: Transaction, app_id: AppId, channel: Channel, dm_key: str | None) -> bool:
    """Insert; False when the two users have a direct channel already, perhaps from a call at the same time."""
    row = await tx.fetchrow(
        _INSERT,
        UUID(channel.id),
        UUID(app_id),
        channel.type,
        channel.name,
        channel.description,
        channel.image,
        orjson.dumps(channel.custom).decode(),
        data_json(channel.config).decode(),
        channel.created_by,
        dm_key,
        channel.member_count,
        channel.cv,
        channel.created_at,
    )
    return row is not None


async def lock_channel(tx: Transaction, app_id: AppId, channel_id: ChannelId) -> StoredChannel | None:
    """The channel as last committed, locked until the end of the transaction."""
    row = await tx.fetchrow(_LOCK, UUID(app_id), UUID(channel_id))
    return None if row is None else _stored(row)


async def update_fields(tx: Transaction, channel: Channel) -> None:
    """Write a locked channel's own fields and its cv."""
    await tx.execute(
        _UPDATE_FIELDS,
        UUID(channel.id),
        channel.name,
        channel.description,
        channel.image,
        orjson.dumps(channel.custom).decode(),
        data_json(channel.config).decode(),
        channel.frozen,
        channel.cv,
        channel.updated_at,
    )


async def mark_deleted(tx: Transaction, channel: Channel) -> None:
    """Delete a locked channel: from here on it is not found."""
    await tx.execute(_MARK_DELETED, UUID(channel.id), channel.cv, channel.deleted_at)


async def update_members(tx: Transaction, channel_id: ChannelId, *, cv: int, member_count: int) -> None:
    """Write a locked channel's cv and count after its members changed."""
    await tx.execute(_UPDATE_MEMBERS, UUID(channel_id), cv, member_count)


async def fetch_channel(connection: Connection, app_id: AppId, channel_id: ChannelId) -> StoredChannel | None:
    """One channel."""
    row = await connection.fetchrow(_FETCH, UUID(app_id), UUID(channel_id))
    return None if row is None else _stored(row)


async def fetch_channels(connection: Connection, ids: Sequence[ChannelId]) -> list[Channel]:
    """These channels in no order; the caller has seen to it that they may be read."""
    rows = await connection.fetch(
        "select * from channel where id = any($1::uuid[])", [UUID(one) for one in ids]
    )
    return [_stored(row).channel for row in rows]


async def fetch_direct(connection: Connection, app_id: AppId, dm_key: str) -> Channel | None:
    """The direct channel of two users."""
    row = await connection.fetchrow(_FETCH_DIRECT, UUID(app_id), dm_key)
    return None if row is None else _stored(row).channel


Position = tuple[datetime, UUID]


async def list_channels(
    connection: Connection, app_id: AppId, *, before: Position | None, limit: int
) -> Sequence[Channel]:
    """The app's channels, newest activity first."""
    at, row_id = before or (None, None)
    return [_stored(row).channel for row in await connection.fetch(_LIST, UUID(app_id), at, row_id, limit)]


async def list_channels_of(
    connection: Connection, app_id: AppId, user_id: UserId, *, before: Position | None, limit: int
) -> Sequence[Channel]:
    """A user's channels, newest activity first."""
    at, row_id = before or (None, None)
    rows = await connection.fetch(_LIST_OF, UUID(app_id), user_id, at, row_id, limit)
    return [_stored(row).channel for row in rows]


def _stored(row: Row) -> StoredChannel:
    channel = Channel(
        id=ChannelId(str(row["id"])),
        type=row["type"],
        name=row["name"],
        description=row["description"],
        image=row["image"],
        custom=orjson.loads(row["custom"]),
        config=ChannelConfig.model_validate_json(row["config"]),
        created_by=row["created_by"],
        member_count=row["member_count"],
        message_count=row["message_count"],
        last_seq=row["last_seq"],
        cv=row["cv"],
        last_message_at=row["last_message_at"],
        frozen=row["frozen"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
    return StoredChannel(channel, is_direct=row["dm_key"] is not None)


_INSERT = """
insert into channel (
  id, app_id, type, name, description, image, custom, config, created_by, dm_key, member_count, cv,
  created_at, updated_at
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)
on conflict (app_id, dm_key) where dm_key is not null and deleted_at is null do nothing
returning id
"""

_LOCK = """
select *
from channel
where app_id = $1 and id = $2 and deleted_at is null
for no key update
"""

_UPDATE_FIELDS = """
update channel
set name = $2, description = $3, image = $4, custom = $5, config = $6, frozen = $7, cv = $8, updated_at = $9
where id = $1
"""

_MARK_DELETED = """
update channel
set cv = $2, deleted_at = $3, updated_at = $3
where id = $1
"""

_UPDATE_MEMBERS = """
update channel
set cv = $2, member_count = $3
where id = $1
"""

_FETCH = """
select *
from channel
where app_id = $1 and id = $2 and deleted_at is null
"""

_FETCH_DIRECT = """
select *
from channel
where app_id = $1 and dm_key = $2 and deleted_at is null
"""

_LIST = """
select *
from channel
where app_id = $1 and deleted_at is null
  and ($2::timestamptz is null or (date_trunc('milliseconds', coalesce(last_message_at, created_at)), id) < ($2, $3::uuid))
order by date_trunc('milliseconds', coalesce(last_message_at, created_at)) desc, id desc
limit $4
"""

_LIST_OF = """
select channel.*
from channel_member as place
join channel on channel.id = place.channel_id
where place.app_id = $1 and place.user_id = $2 and channel.deleted_at is null
  and ($3::timestamptz is null or (date_trunc('milliseconds', coalesce(channel.last_message_at, channel.created_at)), channel.id) < ($3, $4::uuid))
order by date_trunc('milliseconds', coalesce(channel.last_message_at, channel.created_at)) desc, channel.id desc
limit $5
"""
