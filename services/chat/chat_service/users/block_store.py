"""SQL of blocks: whom a user does not want to hear of."""

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
class Blocked:
    """A user whom somebody blocked, and since when."""

    user: StoredUser
    blocked_at: datetime


async def lock_state(tx: Transaction, app_id: AppId, user_id: UserId) -> int | None:
    """The version of what only the user sees, locked until the end of the transaction; None: no such user."""
    version: int | None = await tx.fetchval(_LOCK_STATE, UUID(app_id), user_id)
    return version


async def fetch_blocked_at(
    connection: Connection, app_id: AppId, user_id: UserId, other_id: UserId
) -> datetime | None:
    """Since when the user has the other one blocked; None: not."""
    at: datetime | None = await connection.fetchval(_FETCH, UUID(app_id), user_id, other_id)
    return at


async def insert_block(
    tx: Transaction, app_id: AppId, user_id: UserId, other_id: UserId, *, state_version: int, now: datetime
) -> None:
    """Block; the user's state is locked, and `state_version` is its new one."""
    await tx.execute(_INSERT, UUID(app_id), user_id, other_id, state_version, now)


async def delete_block(
    tx: Transaction, app_id: AppId, user_id: UserId, other_id: UserId, *, state_version: int
) -> None:
    """Unblock; likewise."""
    await tx.execute(_DELETE, UUID(app_id), user_id, other_id, state_version)


async def list_blocked(
    connection: Connection, app_id: AppId, user_id: UserId, *, after: str, limit: int
) -> Sequence[Blocked]:
    """Whom the user has blocked, by id, those after one."""
    rows = await connection.fetch(_LIST, UUID(app_id), user_id, after, limit)
    return [Blocked(stored_user(row), row["blocked_at"]) for row in rows]


async def who_blocked(
    connection: Connection, app_id: AppId, author_id: UserId, readers: Sequence[UserId]
) -> frozenset[UserId]:
    """Which of these readers have the author blocked: what sending asks of the other one of a direct channel."""
    rows = await connection.fetch(_WHO_BLOCKED, UUID(app_id), author_id, list(readers))
    return frozenset(UserId(row["user_id"]) for row in rows)


async def blocked_among(
    connection: Connection, app_id: AppId, user_id: UserId, authors: Sequence[UserId]
) -> frozenset[UserId]:
    """Which of these authors the user has blocked: what reading asks."""
    rows = await connection.fetch(_BLOCKED_AMONG, UUID(app_id), user_id, list(authors))
    return frozenset(UserId(row["blocked_id"]) for row in rows)


async def blocked_by(connection: Connection, app_id: AppId, user_id: UserId) -> frozenset[UserId]:
    """Everybody whom the user has blocked: what the user's sockets hide."""
    rows = await connection.fetch(_BLOCKED_BY, UUID(app_id), user_id)
    return frozenset(UserId(row["blocked_id"]) for row in rows)


_LOCK_STATE = """
select state_version
from app_user
where app_id = $1 and id = $2
for no key update
"""

_FETCH = """
select blocked_at
from user_block
where app_id = $1 and user_id = $2 and blocked_id = $3
"""

_INSERT = """
with state as (
  update app_user set state_version = $4 where app_id = $1 and id = $2
)
insert into user_block (app_id, user_id, blocked_id, state_version, blocked_at)
values ($1, $2, $3, $4, $5)
"""

_DELETE = """
with state as (
  update app_user set state_version = $4 where app_id = $1 and id = $2
)
delete from user_block
where app_id = $1 and user_id = $2 and blocked_id = $3
"""

_LIST = """
select blocked_at, id, name, image, email, custom, version, created_at, updated_at, deactivated_at, erased_at
from user_block
join app_user on app_user.app_id = user_block.app_id and app_user.id = user_block.blocked_id
where user_block.app_id = $1 and user_block.user_id = $2 and user_block.blocked_id > $3
order by user_block.blocked_id
limit $4
"""

_BLOCKED_AMONG = """
select blocked_id
from user_block
where app_id = $1 and user_id = $2 and blocked_id = any($3::text[])
"""

_BLOCKED_BY = "select blocked_id from user_block where app_id = $1 and user_id = $2"

_WHO_BLOCKED = """
select user_id
from user_block
where app_id = $1 and blocked_id = $2 and user_id = any($3::text[])
"""
