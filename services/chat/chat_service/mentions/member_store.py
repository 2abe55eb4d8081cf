"""SQL of finding members to mention, by how their id or a word of their name begins, whatever the case."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chat_service.mentions.views import Person
from chatsdk_contracts.ids import AppId, ChannelId, UserId
from chatsdk_runtime.postgres import Connection

# So many members are looked through one by one; with more, the indexes on ids and names are walked.
_FEW = 5_000
# Behind every text: the last code point, which is no character.
_END = "\U0010ffff"


async def find_members(
    connection: Connection,
    app_id: AppId,
    channel_id: ChannelId,
    viewer: UserId | None,
    prefix: str,
    *,
    limit: int,
) -> Sequence[Person]:
    """Members other than the viewer. In a channel of many, a name is found by its first word only."""
    where = (UUID(app_id), UUID(channel_id), viewer, prefix, limit)
    if not prefix:
        rows = await connection.fetch(_FIRST, *where[:3], limit)
    elif await connection.fetchval(_COUNT, UUID(channel_id)) <= _FEW:
        rows = await connection.fetch(_FIND_AMONG_FEW, *where)
    else:
        rows = await connection.fetch(_FIND_AMONG_MANY, *where, prefix + _END)
    return [Person(id=row["id"], name=row["name"], image=row["image"]) for row in rows]


_COUNT = "select member_count from channel where id = $1"

_FIRST = """
select u.id, u.name, u.image
from channel_member as member
join app_user as u on u.app_id = $1 and u.id = member.user_id
where member.channel_id = $2 and u.id is distinct from $3::text and u.deactivated_at is null
order by member.user_id
limit $4
"""

_FIND_AMONG_FEW = """
select u.id, u.name, u.image
from channel_member as member
join app_user as u on u.app_id = $1 and u.id = member.user_id
where member.channel_id = $2 and u.id is distinct from $3::text and u.deactivated_at is null
  and (starts_with(lower(u.id), lower($4)) or strpos(' ' || lower(u.name), ' ' || lower($4)) > 0)
order by not starts_with(lower(u.id), lower($4)), not coalesce(starts_with(lower(u.name), lower($4)), false),
  lower(coalesce(u.name, u.id)) collate "C", u.id
limit $5
"""

_FIND_AMONG_MANY = """
with there as not materialized (
  select u.id, u.name, u.image
  from app_user as u
  where u.app_id = $1 and u.id is distinct from $3::text and u.deactivated_at is null
    and exists (select from channel_member as member where member.channel_id = $2 and member.user_id = u.id)
)
(
  select 0 as rank, lower(id) collate "C" as key, id, name, image
  from there
  where lower(id) collate "C" >= lower($4) and lower(id) collate "C" < lower($6)
  order by lower(id) collate "C", id
  limit $5
)
union all
(
  select 1 as rank, lower(name) collate "C" as key, id, name, image
  from there
  where name is not null and lower(name) collate "C" >= lower($4) and lower(name) collate "C" < lower($6)
    and not (lower(id) collate "C" >= lower($4) and lower(id) collate "C" < lower($6))
  order by lower(name) collate "C", id
  limit $5
)
order by rank, key, id
limit $5
"""
