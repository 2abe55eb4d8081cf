"""SQL of channels. The row lock of a channel orders all writes in it; what decides is read after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson

from chatsdk_contracts.channels import Channel, ChannelConfig
from chatsdk_contracts.ids import AppId, ChannelId, WorkspaceId
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.postgres import Connection, Row, Transaction


@dataclass(frozen=True, slots=True)
class StoredChannel:
    """A channel, whether it is the direct channel of two users, and how far its history is hidden and purged."""

    channel: Channel
    is_direct: bool
    truncated_seq: int = 0
    purge_seq: int = 0


@dataclass(frozen=True, slots=True)
class OnlyOne:
    """What makes a channel the only one: its pair of users, or what the app's servers call it."""

    dm_key: str | None = None
    external_id: str | None = None


async def insert_channel(tx: Transaction, app_id: AppId, channel: Channel, only: OnlyOne) -> bool:
    """Insert; False when there is such a channel already, perhaps from a call at the same time."""
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
        only.dm_key,
        channel.member_count,
        channel.cv,
        channel.created_at,
        None if channel.workspace_id is None else UUID(channel.workspace_id),
        only.external_id,
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


async def update_truncated(tx: Transaction, channel: Channel, *, truncated_seq: int, purge_seq: int) -> None:
    """Write how far a locked channel's history is hidden and to be purged, with its counters."""
    await tx.execute(
        _UPDATE_TRUNCATED,
        UUID(channel.id),
        truncated_seq,
        purge_seq,
        channel.message_count,
        channel.last_message_at,
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
    return [channel_of(row) for row in rows]


async def fetch_only(connection: Connection, app_id: AppId, only: OnlyOne) -> Channel | None:
    """The channel that is the only one of its pair or name."""
    if only.dm_key is not None:
        row = await connection.fetchrow(_FETCH_DIRECT, UUID(app_id), only.dm_key)
    else:
        row = await connection.fetchrow(_FETCH_EXTERNAL, UUID(app_id), only.external_id)
    return None if row is None else channel_of(row)


def channel_of(row: Row) -> Channel:
    """A row as everybody sees it."""
    return Channel(
        id=ChannelId(str(row["id"])),
        type=row["type"],
        name=row["name"],
        description=row["description"],
        image=row["image"],
        custom=orjson.loads(row["custom"]),
        config=ChannelConfig.model_validate_json(row["config"]),
        created_by=row["created_by"],
        workspace_id=None if row["workspace_id"] is None else WorkspaceId(str(row["workspace_id"])),
        member_count=row["member_count"],
        message_count=row["message_count"],
        last_seq=row["last_seq"],
        cv=row["cv"],
        last_message_at=row["last_message_at"],
        frozen=row["frozen"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _stored(row: Row) -> StoredChannel:
    return StoredChannel(
        channel_of(row),
        is_direct=row["dm_key"] is not None,
        truncated_seq=row["truncated_seq"],
        purge_seq=row["purge_seq"],
    )


_INSERT = """
insert into channel (
  id, app_id, type, name, description, image, custom, config, created_by, dm_key, member_count, cv,
  created_at, updated_at, workspace_id, external_id
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14, $15)
on conflict do nothing
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

_UPDATE_TRUNCATED = """
update channel
set truncated_seq = $2, purge_seq = $3, message_count = $4, last_message_at = $5, cv = $6, updated_at = $7
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

_FETCH_EXTERNAL = """
select *
from channel
where app_id = $1 and external_id = $2 and deleted_at is null
"""
