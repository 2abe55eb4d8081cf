"""SQL of users."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import orjson

from chat_service.users.rules import StoredUser
from chatsdk_contracts.ids import AppId, UserId
from chatsdk_runtime.postgres import Connection, Row, Transaction


async def insert_user(tx: Transaction, app_id: AppId, user: StoredUser) -> bool:
    """Insert; False when the id is taken already, perhaps by a call at the same time."""
    values = (user.id, user.name, user.image, user.email, _json(user), user.created_at)
    return await tx.fetchval(_INSERT, UUID(app_id), *values) is not None


async def lock_user(tx: Transaction, app_id: AppId, user_id: UserId) -> StoredUser | None:
    """The user as last committed, locked until the end of the transaction."""
    row = await tx.fetchrow(_LOCK, UUID(app_id), user_id)
    return None if row is None else _user(row)


async def update_user(tx: Transaction, app_id: AppId, user: StoredUser) -> None:
    """Write a locked user's fields and version."""
    values = (user.name, user.image, user.email, _json(user), user.version, user.updated_at)
    await tx.execute(_UPDATE, UUID(app_id), user.id, *values)


async def fetch_user(connection: Connection, app_id: AppId, user_id: UserId) -> StoredUser | None:
    """One user."""
    row = await connection.fetchrow(_FETCH, UUID(app_id), user_id)
    return None if row is None else _user(row)


async def list_users(
    connection: Connection, app_id: AppId, *, after: str, limit: int
) -> Sequence[StoredUser]:
    """Users by id, those after one."""
    return [_user(row) for row in await connection.fetch(_LIST, UUID(app_id), after, limit)]


async def known_users(connection: Connection, app_id: AppId, user_ids: Sequence[UserId]) -> frozenset[UserId]:
    """Which of these the app has, not deactivated."""
    rows = await connection.fetch(_KNOWN, UUID(app_id), list(user_ids))
    return frozenset(UserId(row["id"]) for row in rows)


def _json(user: StoredUser) -> str:
    return orjson.dumps(user.custom).decode()


def _user(row: Row) -> StoredUser:
    return StoredUser(
        id=row["id"],
        name=row["name"],
        image=row["image"],
        email=row["email"],
        custom=orjson.loads(row["custom"]),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        deactivated_at=row["deactivated_at"],
    )


_INSERT = """
insert into app_user (app_id, id, name, image, email, custom, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $7)
on conflict (app_id, id) do nothing
returning id
"""

_LOCK = """
select id, name, image, email, custom, version, created_at, updated_at, deactivated_at
from app_user
where app_id = $1 and id = $2
for no key update
"""

_UPDATE = """
update app_user
set name = $3, image = $4, email = $5, custom = $6, version = $7, updated_at = $8
where app_id = $1 and id = $2
"""

_FETCH = """
select id, name, image, email, custom, version, created_at, updated_at, deactivated_at
from app_user
where app_id = $1 and id = $2
"""

_LIST = """
select id, name, image, email, custom, version, created_at, updated_at, deactivated_at
from app_user
where app_id = $1 and id > $2
order by id
limit $3
"""

_KNOWN = """
select id
from app_user
where app_id = $1 and id = any($2::text[]) and deactivated_at is null
"""
