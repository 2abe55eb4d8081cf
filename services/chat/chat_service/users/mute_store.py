"""SQL of mutes: of whom a user wants no notifications. Whoever writes here has locked the user's state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chat_service.users.rules import StoredUser
from chat_service.users.store import stored_user
from chatsdk_contracts.ids import AppId, UserId
from chatsdk_runtime.postgres import Connection, Transaction


@dataclass(frozen=True, slots=True)
class Muted:
    """A user whom somebody muted, and since when."""

    user: StoredUser
    muted_at: datetime


async def fetch_muted_at(
    connection: Connection, app_id: AppId, user_id: UserId, other_id: UserId
) -> datetime | None:
    """Since when the user has the other one muted; None: not."""
    at: datetime | None = await connection.fetchval(_FETCH, UUID(app_id), user_id, other_id)
    return at


async def insert_mute(
    tx: Transaction, app_id: AppId, user_id: UserId, other_id: UserId, *, state_version: int, now: datetime
) -> None:
    """Mute; `state_version` is the new one of the user's state."""
    await tx.execute(_INSERT, UUID(app_id), user_id, other_id, state_version, now)


async def delete_mute(
    tx: Transaction, app_id: AppId, user_id: UserId, other_id: UserId, *, state_version: int
) -> None:
    """Unmute; likewise."""
    await tx.execute(_DELETE, UUID(app_id), user_id, other_id, state_version)


async def list_muted(
    connection: Connection, app_id: AppId, user_id: UserId, *, after: str, limit: int
) -> Sequence[Muted]:
    """Whom the user has muted, by id, those after one."""
    rows = await connection.fetch(_LIST, UUID(app_id), user_id, after, limit)
    return [Muted(stored_user(row), row["muted_at"]) for row in rows]


_FETCH = """
select muted_at
from user_mute
where app_id = $1 and user_id = $2 and muted_id = $3
"""

_INSERT = """
with state as (
  update app_user set state_version = $4 where app_id = $1 and id = $2
)
insert into user_mute (app_id, user_id, muted_id, state_version, muted_at)
values ($1, $2, $3, $4, $5)
"""

_DELETE = """
with state as (
  update app_user set state_version = $4 where app_id = $1 and id = $2
)
delete from user_mute
where app_id = $1 and user_id = $2 and muted_id = $3
"""

_LIST = """
select muted_at, id, name, image, email, custom, version, created_at, updated_at, deactivated_at, erased_at
from user_mute
join app_user on app_user.app_id = user_mute.app_id and app_user.id = user_mute.muted_id
where user_mute.app_id = $1 and user_mute.user_id = $2 and user_mute.muted_id > $3
order by user_mute.muted_id
limit $4
"""
