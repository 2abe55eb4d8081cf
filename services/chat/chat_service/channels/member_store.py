"""SQL of a channel's members; whoever writes here holds the channel's row lock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from chatsdk_contracts.channels import ChannelRole, Left, Member
from chatsdk_contracts.ids import AppId, ChannelId, UserId
from chatsdk_runtime.postgres import Connection, Row, Transaction


async def insert_members(tx: Transaction, app_id: AppId, members: Sequence[Member], *, first_cv: int) -> None:
    """New members of one channel, joined at the same time; `first_cv` is the version that the first one makes.

    What was sent before they came is not unread for them.
    """
    first = members[0]
    await tx.execute(
        _INSERT,
        UUID(first.channel_id),
        UUID(app_id),
        [member.user_id for member in members],
        [member.role for member in members],
        list(range(first_cv, first_cv + len(members))),
        first.joined_at,
    )


async def delete_member(tx: Transaction, app_id: AppId, left: Left, *, cv: int, now: datetime) -> None:
    """Take a member out, and remember it for their devices that still show the channel."""
    await tx.execute(_DELETE, UUID(left.channel_id), left.user_id, UUID(app_id), cv, left.reason, now)


async def update_role(tx: Transaction, channel_id: ChannelId, user_id: UserId, role: ChannelRole) -> None:
    """Give a member another role."""
    await tx.execute(_UPDATE_ROLE, UUID(channel_id), user_id, role)


async def fetch_role(connection: Connection, channel_id: ChannelId, user_id: UserId) -> ChannelRole | None:
    """The user's role in the channel; None when not in it."""
    role: ChannelRole | None = await connection.fetchval(_FETCH_ROLE, UUID(channel_id), user_id)
    return role


async def fetch_member(connection: Connection, channel_id: ChannelId, user_id: UserId) -> Member | None:
    """One member."""
    row = await connection.fetchrow(_FETCH_MEMBER, UUID(channel_id), user_id)
    return None if row is None else _member(row)


async def fetch_members(
    connection: Connection, channel_id: ChannelId, user_ids: Sequence[UserId]
) -> Sequence[Member]:
    """Those of these users who are in the channel."""
    rows = await connection.fetch(_FETCH_MEMBERS, UUID(channel_id), list(user_ids))
    return [_member(row) for row in rows]


async def count_owners(connection: Connection, channel_id: ChannelId) -> int:
    """How many owners the channel has."""
    return int(await connection.fetchval(_COUNT_OWNERS, UUID(channel_id)))


async def list_members(
    connection: Connection, channel_id: ChannelId, *, after: str, limit: int
) -> Sequence[Member]:
    """Members by user id, those after one."""
    return [_member(row) for row in await connection.fetch(_LIST, UUID(channel_id), after, limit)]


def _member(row: Row) -> Member:
    return Member(
        channel_id=ChannelId(str(row["channel_id"])),
        user_id=row["user_id"],
        role=row["role"],
        joined_at=row["joined_at"],
    )


# Devices keep the greatest (generation, seq) that they ever heard of: who comes back goes on in the generation they left
# in. Where that was not kept, no generation was greater than the number of changes of the user's state.
_INSERT = """
with returned as (
  delete from departure
  where channel_id = $1 and app_id = $2 and user_id = any($3::text[])
  returning user_id, read_generation
)
insert into channel_member (channel_id, app_id, user_id, role, joined_cv, joined_at, last_read_seq, read_generation)
select $1, $2, joining.user_id, role, cv, $6, (select last_seq from channel where id = $1),
  case
    when returned.user_id is null then 0
    else coalesce(
      returned.read_generation,
      (select state_version from app_user where app_id = $2 and id = returned.user_id),
      0
    )
  end
from unnest($3::text[], $4::text[], $5::bigint[]) as joining (user_id, role, cv)
left join returned on returned.user_id = joining.user_id
"""

_DELETE = """
with taken_out as (
  delete from channel_member where channel_id = $1 and user_id = $2
  returning read_generation
)
insert into departure (app_id, user_id, channel_id, cv, reason, left_at, read_generation)
values ($3, $2, $1, $4, $5, $6, (select read_generation from taken_out))
on conflict (app_id, user_id, channel_id)
do update set cv = excluded.cv, reason = excluded.reason, left_at = excluded.left_at,
  read_generation = excluded.read_generation
"""

_UPDATE_ROLE = """
update channel_member
set role = $3
where channel_id = $1 and user_id = $2
"""

_FETCH_ROLE = """
select role
from channel_member
where channel_id = $1 and user_id = $2
"""

_FETCH_MEMBER = """
select channel_id, user_id, role, joined_at
from channel_member
where channel_id = $1 and user_id = $2
"""

_FETCH_MEMBERS = """
select channel_id, user_id, role, joined_at
from channel_member
where channel_id = $1 and user_id = any($2::text[])
"""

_COUNT_OWNERS = """
select count(*)
from channel_member
where channel_id = $1 and role = 'owner'
"""

_LIST = """
select channel_id, user_id, role, joined_at
from channel_member
where channel_id = $1 and user_id > $2
order by user_id
limit $3
"""
