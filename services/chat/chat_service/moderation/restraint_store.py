"""SQL of what keeps a user from writing: a part of the statements that decide, and a statement of its own.

Whoever decides reads this behind the lock of the channel, with the snapshot that the lock gave: a ban from the channel
takes the same lock, and one from the app is seen by every statement that begins behind its commit.
"""

from __future__ import annotations

from uuid import UUID

from chat_service.moderation.restraints import Restraint
from chatsdk_contracts.ids import AppId, ChannelId, UserId
from chatsdk_runtime.postgres import Connection, Row


async def fetch_restraint(
    connection: Connection, app_id: AppId, channel_id: ChannelId | None, user_id: UserId
) -> Restraint:
    """What keeps this user from writing in the channel, or (None) in the app; the user need not be a member."""
    row = await connection.fetchrow(
        _FETCH, UUID(app_id), None if channel_id is None else UUID(channel_id), user_id
    )
    assert row is not None, "the statement makes one row"
    return restraint_of(row)


def restraint_of(row: Row) -> Restraint:
    """What a statement found that has `RESTRAINT_COLUMNS`."""
    return Restraint(
        is_banned=row["ban_shadow"] is False,
        is_shadowed=row["ban_shadow"] is True,
        is_blocked=row["is_blocked"],
        until=row["ban_expires_at"],
        reason=row["ban_reason"],
    )


# In a statement with a row `member` (app_id, channel_id, user_id): the columns, and the join that they need. Whether a
# ban still holds is said by the database's clock. Nested, and not joined: whatever the planner takes the tables for when
# it plans once for all, a channel that is no direct one costs a look at its row, and any other three looks by key.
RESTRAINT_COLUMNS = """ban.shadow as ban_shadow, ban.reason as ban_reason, ban.expires_at as ban_expires_at,
  coalesce((
    select exists (
      select from user_block
      where app_id = member.app_id and blocked_id = member.user_id and user_id = (
        select other.user_id
        from channel_member other
        where other.channel_id = member.channel_id and other.user_id <> member.user_id
        limit 1
      )
    )
    from channel direct
    where direct.id = member.channel_id and direct.dm_key is not null
  ), false) as is_blocked"""

RESTRAINT_JOIN = """left join lateral (
  select held.shadow, held.reason, held.expires_at
  from ban held
  where held.app_id = member.app_id and held.user_id = member.user_id
    and (held.channel_id is null or held.channel_id = member.channel_id)
    and (held.expires_at is null or held.expires_at > now())
  order by held.shadow, held.expires_at desc nulls first
  limit 1
) as ban on true"""

_FETCH = f"""
select {RESTRAINT_COLUMNS}
from (select $1::uuid as app_id, $2::uuid as channel_id, $3::text as user_id) as member
{RESTRAINT_JOIN}
"""
