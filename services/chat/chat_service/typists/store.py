"""SQL of typing: it has no rows of its own, and asks about those of others."""

from __future__ import annotations

from uuid import UUID

from chatsdk_contracts.ids import AppId, ChannelId, UserId
from chatsdk_runtime.postgres import Connection


async def is_unwanted(connection: Connection, app_id: AppId, channel_id: ChannelId, user_id: UserId) -> bool:
    """Whether this is a direct channel whose other one has the user blocked, or is blocked by the user."""
    found: bool = await connection.fetchval(_IS_UNWANTED, UUID(app_id), UUID(channel_id), user_id)
    return found


_IS_UNWANTED = """
select exists (
  select 1
  from channel
  join channel_member as other on other.channel_id = channel.id and other.user_id <> $3
  join user_block as block on block.app_id = $1
    and (block.user_id, block.blocked_id) in ((other.user_id, $3), ($3, other.user_id))
  where channel.id = $2 and channel.app_id = $1 and channel.dm_key is not null
)
"""
