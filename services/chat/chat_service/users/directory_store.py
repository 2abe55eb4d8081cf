"""SQL of finding users by the beginning of their id or name, whatever the case.

Matches of ids come before matches of names, each in the order of bytes: the order of the two indexes, so that a
page reads little more than itself, however many users the app has.
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
    id_after, name_after = ("", ""), ("", "")
    if after is not None and after.rank == _BY_ID:
        id_after = (after.key, after.user_id)
    elif after is not None:
        id_after, name_after = (_END, _END), (after.key, after.user_id)
    rows = await connection.fetch(
        _FIND,
        UUID(search.app_id),
        search.prefix,
        search.prefix + _END,
        search.viewer,
        search.directory == "all",
        *id_after,
        *name_after,
        limit,
    )
    return [Match(stored_user(row), Place(row["rank"], row["key"], row["id"])) for row in rows]


def place_of(position: Sequence[str]) -> Place | None:
    """The place in a cursor; None when it is none of this list."""
    rank, key, user_id = position
    return Place(int(rank), key, user_id) if rank in {str(_BY_ID), str(_BY_NAME)} else None


# $6 to $9 are where the last page ended; an empty prefix finds everybody by id, and nobody a second time.
_FIND = """
with visible as not materialized (
  select id, name, image, email, custom, version, created_at, updated_at, deactivated_at
  from app_user
  where app_id = $1 and (
    $4::text is null
    or id <> $4 and deactivated_at is null and ($5 or exists (
      select
      from channel_member as mine
      join channel_member as theirs on theirs.channel_id = mine.channel_id
      join channel on channel.id = mine.channel_id
      where mine.app_id = $1 and mine.user_id = $4
        and theirs.app_id = $1 and theirs.user_id = app_user.id and channel.deleted_at is null
    ))
  )
)
(
  select 0 as rank, lower(id) collate "C" as key, *
  from visible
  where lower(id) collate "C" >= lower($2) and lower(id) collate "C" < lower($3)
    and (lower(id) collate "C", id) > ($6::text, $7::text)
  order by lower(id) collate "C", id
  limit $10
)
union all
(
  select 1 as rank, lower(name) collate "C" as key, *
  from visible
  where $2 <> '' and name is not null
    and lower(name) collate "C" >= lower($2) and lower(name) collate "C" < lower($3)
    and not (lower(id) collate "C" >= lower($2) and lower(id) collate "C" < lower($3))
    and (lower(name) collate "C", id) > ($8::text, $9::text)
  order by lower(name) collate "C", id
  limit $10
)
order by rank, key, id
limit $10
"""
