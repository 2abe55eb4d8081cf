"""SQL of a member's private state. The row lock of the user orders all changes of it, over all channels."""

from __future__ import annotations

from uuid import UUID

from chat_service.memberstate.rules import PrivateState
from chatsdk_contracts.ids import AppId, ChannelId, UserId
from chatsdk_runtime.postgres import Transaction


async def lock_user(tx: Transaction, app_id: AppId, user_id: UserId) -> None:
    """Lock the user until the end of the transaction: the private state of the user stands still."""
    await tx.execute(_LOCK_USER, UUID(app_id), user_id)


async def lock_state(tx: Transaction, channel_id: ChannelId, user_id: UserId) -> PrivateState | None:
    """The state of a locked user in a channel, who stays a member until the end; None: not a member."""
    row = await tx.fetchrow(_LOCK_STATE, UUID(channel_id), user_id)
    if row is None:
        return None
    return PrivateState(
        channel_id=channel_id,
        last_seq=row["last_seq"],
        read_generation=row["read_generation"],
        last_read_seq=row["last_read_seq"],
        muted_until=row["muted_until"],
        starred=row["starred"],
        hidden=row["hidden"],
        hidden_seq=row["hidden_seq"],
        cleared_seq=row["cleared_seq"],
        updated_at=row["updated_at"],
    )


async def write_state(tx: Transaction, app_id: AppId, user_id: UserId, state: PrivateState) -> int:
    """Write a changed state and count it; returns the user's new version, which numbers the event."""
    version: int = await tx.fetchval(
        _WRITE_STATE,
        UUID(app_id),
        user_id,
        UUID(state.channel_id),
        state.muted_until,
        state.starred,
        state.hidden,
        state.hidden_seq,
        state.cleared_seq,
        state.updated_at,
        state.read_generation,
        state.last_read_seq,
    )
    return version


_LOCK_USER = "select from app_user where app_id = $1 and id = $2 for no key update"

_LOCK_STATE = """
select place.read_generation, place.last_read_seq, place.muted_until, place.starred, place.hidden, place.hidden_seq,
  place.cleared_seq, coalesce(place.state_updated_at, place.joined_at) as updated_at, channel.last_seq
from channel_member as place
join channel on channel.id = place.channel_id
where place.channel_id = $1 and place.user_id = $2
for no key update of place
"""

_WRITE_STATE = """
with counted as (
  update app_user
  set version = version + 1, state_version = state_version + 1
  where app_id = $1 and id = $2
  returning version, state_version
)
update channel_member
set muted_until = $4, starred = $5, hidden = $6, hidden_seq = $7, cleared_seq = $8, state_updated_at = $9,
  read_generation = $10, last_read_seq = $11, state_version = counted.state_version
from counted
where channel_id = $3 and user_id = $2
returning counted.version
"""
