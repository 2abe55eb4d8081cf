"""SQL of saved messages; whoever writes here holds the user's row lock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from chat_service.messages.store import COLUMNS, TIMELINE_SEQ
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, UserId
from chatsdk_runtime.postgres import Connection, Row, Transaction


async def next_state_version(tx: Transaction, app_id: AppId, user_id: UserId) -> int:
    """Lock the user and count one more change of what only they see."""
    version: int = await tx.fetchval(_NEXT_STATE_VERSION, UUID(app_id), user_id)
    return version


async def lock_user(tx: Transaction, app_id: AppId, user_id: UserId) -> None:
    """Order this after every other private change of the user."""
    await tx.execute(_LOCK_USER, UUID(app_id), user_id)


async def saved_at(
    connection: Connection, app_id: AppId, user_id: UserId, message_id: MessageId
) -> datetime | None:
    """When the user saved the message; None when it is not saved."""
    at: datetime | None = await connection.fetchval(_SAVED_AT, UUID(app_id), user_id, UUID(message_id))
    return at


async def insert_saved(
    tx: Transaction,
    app_id: AppId,
    user_id: UserId,
    message: tuple[ChannelId, MessageId],
    *,
    state_version: int,
    now: datetime,
) -> None:
    """Save a message."""
    channel_id, message_id = message
    await tx.execute(
        _INSERT_SAVED, UUID(app_id), user_id, UUID(message_id), UUID(channel_id), now, state_version
    )


async def delete_saved(tx: Transaction, app_id: AppId, user_id: UserId, message_id: MessageId) -> None:
    """Forget a saved message."""
    await tx.execute(_DELETE_SAVED, UUID(app_id), user_id, UUID(message_id))


Position = tuple[datetime, UUID]


async def list_saved(
    connection: Connection, app_id: AppId, user_id: UserId, *, before: Position | None, limit: int
) -> Sequence[Row]:
    """What the user saved and may still see, with its channel, the newest first."""
    at, message_id = before or (None, None)
    return await connection.fetch(_LIST_SAVED, UUID(app_id), user_id, at, message_id, limit)


_LOCK_USER = "select from app_user where app_id = $1 and id = $2 for no key update"

_NEXT_STATE_VERSION = """
update app_user
set state_version = state_version + 1
where app_id = $1 and id = $2
returning state_version
"""

_SAVED_AT = """
select saved_at
from saved_message
where app_id = $1 and user_id = $2 and message_id = $3
"""

_INSERT_SAVED = """
insert into saved_message (app_id, user_id, message_id, channel_id, saved_at, state_version)
values ($1, $2, $3, $4, $5, $6)
"""

_DELETE_SAVED = """
delete from saved_message
where app_id = $1 and user_id = $2 and message_id = $3
"""

_LIST_SAVED = f"""
select {COLUMNS}, saved.saved_at, channel.name as channel_name
from saved_message saved
join message m on m.id = saved.message_id
join channel on channel.id = saved.channel_id
join channel_member member on member.channel_id = saved.channel_id and member.user_id = saved.user_id
where saved.app_id = $1 and saved.user_id = $2 and m.deleted_at is null and channel.deleted_at is null
  and {TIMELINE_SEQ} > greatest(channel.truncated_seq, member.cleared_seq)
  and (m.shadowed_after is null or m.user_id = $2)
  and ($3::timestamptz is null or (saved.saved_at, saved.message_id) < ($3, $4::uuid))
order by saved.saved_at desc, saved.message_id desc
limit $5
"""
