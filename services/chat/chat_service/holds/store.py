"""SQL of legal holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from chat_service.holds.rules import Hold
from chatsdk_contracts.ids import AppId, ChannelId, UploadId, UserId
from chatsdk_runtime.postgres import Connection, Row, Transaction


async def insert(tx: Transaction, app_id: AppId, hold: Hold) -> Hold:
    """Write a hold down; the one in force already, if there is one."""
    await tx.execute(
        _INSERT,
        UUID(hold.id),
        UUID(app_id),
        None if hold.channel_id is None else UUID(hold.channel_id),
        hold.user_id,
        hold.reason,
        hold.created_at,
    )
    row = await tx.fetchrow(
        _IN_FORCE,
        UUID(app_id),
        None if hold.channel_id is None else UUID(hold.channel_id),
        hold.user_id,
    )
    assert row is not None, "it was inserted, or is what the insert met"
    return _hold(row)


async def release(tx: Transaction, app_id: AppId, hold_id: str, now: datetime) -> Hold | None:
    """End a hold; None when the app has none in force by this id."""
    row = await tx.fetchrow(_RELEASE, UUID(app_id), UUID(hold_id), now)
    return None if row is None else _hold(row)


async def list_holds(connection: Connection, app_id: AppId, *, after: str, limit: int) -> Sequence[Hold]:
    """Holds in force, in the order of their making."""
    return [_hold(row) for row in await connection.fetch(_LIST, UUID(app_id), UUID(after), limit)]


async def is_held(
    connection: Connection, app_id: AppId, channel_id: ChannelId, user_id: UserId | None
) -> bool:
    """Whether the channel is held, or what this user writes."""
    held: bool = await connection.fetchval(_IS_HELD, UUID(app_id), UUID(channel_id), user_id)
    return held


async def is_channel_held(connection: Connection, app_id: AppId, channel_id: ChannelId) -> bool:
    """Whether the channel is held, or anything in it that a held user wrote."""
    held: bool = await connection.fetchval(_IS_CHANNEL_HELD, UUID(app_id), UUID(channel_id))
    return held


async def is_user_held(connection: Connection, app_id: AppId, user_id: UserId) -> bool:
    """Whether the user is held, or a channel in which the user wrote."""
    held: bool = await connection.fetchval(_IS_USER_HELD, UUID(app_id), user_id)
    return held


async def is_file_held(connection: Connection, app_id: AppId, upload_id: UploadId) -> bool:
    """Whether who uploaded a file is held, or a channel that it was uploaded to or is shown in."""
    held: bool = await connection.fetchval(_IS_FILE_HELD, UUID(app_id), UUID(upload_id))
    return held


def _hold(row: Row) -> Hold:
    return Hold(
        id=str(row["id"]),
        channel_id=None if row["channel_id"] is None else ChannelId(str(row["channel_id"])),
        user_id=row["user_id"],
        reason=row["reason"],
        created_at=row["created_at"],
        released_at=row["released_at"],
    )


_INSERT = """
insert into legal_hold (id, app_id, channel_id, user_id, reason, created_at)
values ($1, $2, $3, $4, $5, $6)
on conflict do nothing
"""

_IN_FORCE = """
select *
from legal_hold
where app_id = $1 and (channel_id = $2 or user_id = $3) and released_at is null
"""

_RELEASE = """
update legal_hold
set released_at = $3
where app_id = $1 and id = $2 and released_at is null
returning *
"""

_LIST = """
select *
from legal_hold
where app_id = $1 and id > $2 and released_at is null
order by id
limit $3
"""

_IS_HELD = """
select exists (
  select from legal_hold
  where app_id = $1 and released_at is null and (channel_id = $2 or user_id = $3)
)
"""

_IS_CHANNEL_HELD = """
select exists (
  select from legal_hold as hold
  where hold.app_id = $1 and hold.released_at is null
    and (
      hold.channel_id = $2
      or exists (select from message where message.channel_id = $2 and message.user_id = hold.user_id)
    )
)
"""

_IS_USER_HELD = """
select exists (
  select from legal_hold as hold
  where hold.app_id = $1 and hold.released_at is null
    and (
      hold.user_id = $2
      or exists (select from message where message.channel_id = hold.channel_id and message.user_id = $2)
    )
)
"""

_IS_FILE_HELD = """
select exists (
  select from upload
  join legal_hold as hold on hold.app_id = upload.app_id and hold.released_at is null
  where upload.app_id = $1 and upload.id = $2
    and (
      hold.user_id = upload.user_id or hold.channel_id = upload.channel_id
      or exists (select from upload_link where upload_id = upload.id and channel_id = hold.channel_id)
    )
)
"""
