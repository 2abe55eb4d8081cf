"""SQL of finding users by the beginning of their id or name, whatever the case.

Matches of ids come before matches of names, each in the order of bytes: the order of the two indexes, so that a
page reads little more than itself, however many users the app has. A user who may find only those with whom they
share a channel is near to few, who are then looked through, or to so many that the indexes meet one soon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from chat_service.apps.settings_model import UserDirectory
from chat_service.users.rules import StoredUser
from chat_service.users.store import stored_user
from chatsdk_contracts.ids import AppId, UserId
from chatsdk_runtime.postgres import Connection

_BY_ID: Final = 0
_BY_NAME: Final = 1
_FEW: Final = 5_000
# Behind every text: the last code point, which is no character.
_END: Final = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ends: the kind of match, what matched in lower case, and the user's id."""

    rank: int
    key: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Search:
    """Whom to find: a beginning (empty: everybody), for whom (None: the app's servers), and whom they may find."""

    app_id: AppId
    prefix: str
    viewer: UserId | None
    directory: UserDirectory


@dataclass(frozen=True, slots=True)
class Match:
    """A user, and the place in the list."""

    user: StoredUser
    place: Place


async def find_users(
    connection: Connection, search: Search, *, after: Place | None, limit: int
) -> Sequence[Match]:
    """Those behind a place, in order."""
    # No id is empty, so that a first page begins where the prefix does: an index is entered at one place only.
    id_after = name_after = (search.prefix, "")
    if after is not None and after.rank == _BY_ID:
        id_after = (after.key, after.user_id)
    elif after is not None:
        id_after, name_after = (_END, _END), (after.key, after.user_id)
    app_id = UUID(search.app_id)
    where = (app_id, search.prefix, search.prefix + _END, *id_after, *name_after, limit, search.viewer)
    if search.viewer is None or search.directory == "all":
        rows = await connection.fetch(_FIND, *where, True)
    elif await connection.fetchval(_COUNT_NEAR, app_id, search.viewer) <= _FEW:
        rows = await connection.fetch(_FIND_NEAR, *where)
    else:
        rows = await connection.fetch(_FIND, *where, False)
    return [Match(stored_user(row), Place(row["rank"], row["key"], row["id"])) for row in rows]


def place_of(position: Sequence[str]) -> Place | None:
    """The place in a cursor; None when it is none of this list."""
    rank, key, user_id = position
    return Place(int(rank), key, user_id) if rank in {str(_BY_ID), str(_BY_NAME)} else None


_COUNT_NEAR = """
select coalesce(sum(channel.member_count), 0)
from channel_member as mine
join channel on channel.id = mine.channel_id
where mine.app_id = $1 and mine.user_id = $2 and channel.deleted_at is null
"""

# All users for a server ($9 is null); for the user $9 all others, or ($10 is false) those near.
_AMONG_ALL = """
with visible as not materialized (
  select id, name, image, email, custom, version, created_at, updated_at, deactivated_at, erased_at
  from app_user
  where app_id = $1 and (
    $9::text is null
    or id <> $9 and deactivated_at is null and ($10 or exists (
      select
      from channel_member as mine
      join channel_member as theirs on theirs.channel_id = mine.channel_id
      join channel on channel.id = mine.channel_id
      where mine.app_id = $1 and mine.user_id = $9
        and theirs.app_id = $1 and theirs.user_id = app_user.id and channel.deleted_at is null
    ))
  )
)
"""

_AMONG_NEAR = """
with near as materialized (
  select distinct theirs.user_id
  from channel_member as mine
  join channel on channel.id = mine.channel_id
  join channel_member as theirs on theirs.channel_id = mine.channel_id
  where mine.app_id = $1 and mine.user_id = $9 and channel.deleted_at is null and theirs.user_id <> $9
), visible as materialized (
  select id, name, image, email, custom, version, created_at, updated_at, deactivated_at, erased_at
  from near
  join app_user on app_user.app_id = $1 and app_user.id = near.user_id
  where deactivated_at is null
)
"""

# $4 to $7 are where the last page ended; an empty prefix finds everybody by id, and nobody a second time.
_PAGE = """
(
  select 0 as rank, lower(id) collate "C" as key, *
  from visible
  where lower(id) collate "C" >= lower($2) and lower(id) collate "C" < lower($3)
    and (lower(id) collate "C", id) > (lower($4::text), $5::text)
  order by lower(id) collate "C", id
  limit $8
)
union all
(
  select 1 as rank, lower(name) collate "C" as key, *
  from visible
  where $2 <> '' and name is not null
    and lower(name) collate "C" >= lower($2) and lower(name) collate "C" < lower($3)
    and not (lower(id) collate "C" >= lower($2) and lower(id) collate "C" < lower($3))
    and (lower(name) collate "C", id) > (lower($6::text), $7::text)
  order by lower(name) collate "C", id
  limit $8
)
order by rank, key, id
limit $8
"""

_FIND = _AMONG_ALL + _PAGE
_FIND_NEAR = _AMONG_NEAR + _PAGE
