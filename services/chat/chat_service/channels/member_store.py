"""SQL of a channel's members; whoever writes here holds the channel's row lock."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chatsdk_contracts.channels import ChannelRole, Member
from chatsdk_contracts.ids import AppId, ChannelId, UserId
from chatsdk_runtime.postgres import Connection, Row, Transaction


async def insert_members(tx: Transaction, app_id: AppId, members: Sequence[Member]) -> None:
    """New members of one channel, joined at the same time."""
    first = members[0]
    await tx.execute(
        _INSERT,
        UUID(first.channel_id),
        UUID(app_id),
        [member.user_id for member in members],
        [member.role for member in members],
        first.joined_at,
    )


async def delete_member(tx: Transaction, channel_id: ChannelId, user_id: UserId) -> None:
    """Take a member out."""
    await tx.execute(_DELETE, UUID(channel_id), user_id)


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


_INSERT = """
insert into channel_member (channel_id, app_id, user_id, role, joined_at)
select $1, $2, user_id, role, $5
from unnest($3::text[], $4::text[]) as joining (user_id, role)
"""

_DELETE = """
delete from channel_member
where channel_id = $1 and user_id = $2
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
