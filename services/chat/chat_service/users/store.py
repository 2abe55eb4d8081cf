"""SQL of users."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

import orjson

from chat_service.users.rules import StoredUser
from chatsdk_contracts.ids import AppId, UserId
from chatsdk_runtime.postgres import Connection, Row, Transaction


async def insert_users(tx: Transaction, app_id: AppId, users: Sequence[StoredUser]) -> frozenset[UserId]:
    """Insert, made all at the same time; returns those whose ids were free, also of calls at the same time."""
    columns = ([user.name for user in users], [user.image for user in users], [user.email for user in users])
    ids, custom = [user.id for user in users], [_json(user) for user in users]
    rows = await tx.fetch(_INSERT, UUID(app_id), ids, *columns, custom, users[0].created_at)
    return frozenset(UserId(row["id"]) for row in rows)


async def lock_users(tx: Transaction, app_id: AppId, user_ids: Iterable[UserId]) -> Sequence[StoredUser]:
    """Those of these users who exist, as last committed, locked until the end of the transaction."""
    return [stored_user(row) for row in await tx.fetch(_LOCK, UUID(app_id), list(user_ids))]


async def update_users(tx: Transaction, app_id: AppId, users: Sequence[StoredUser]) -> None:
    """Write locked users' fields and versions."""
    await tx.execute(
        _UPDATE,
        UUID(app_id),
        [user.id for user in users],
        [user.name for user in users],
        [user.image for user in users],
        [user.email for user in users],
        [_json(user) for user in users],
        [user.version for user in users],
        [user.updated_at for user in users],
    )


async def update_activity(tx: Transaction, app_id: AppId, user: StoredUser) -> None:
    """Write whether a locked user may call; tokens from before a deactivation never come back."""
    await tx.execute(
        _UPDATE_ACTIVITY, UUID(app_id), user.id, user.deactivated_at, user.version, user.updated_at
    )


async def next_version(tx: Transaction, app_id: AppId, user_id: UserId) -> int | None:
    """Lock the user and count one more event about them; None when there is no such user."""
    version: int | None = await tx.fetchval(_NEXT_VERSION, UUID(app_id), user_id)
    return version


async def fetch_user(connection: Connection, app_id: AppId, user_id: UserId) -> StoredUser | None:
    """One user."""
    row = await connection.fetchrow(_FETCH, UUID(app_id), user_id)
    return None if row is None else stored_user(row)


async def known_users(connection: Connection, app_id: AppId, user_ids: Sequence[UserId]) -> frozenset[UserId]:
    """Which of these the app has, not deactivated."""
    rows = await connection.fetch(_KNOWN, UUID(app_id), list(user_ids))
    return frozenset(UserId(row["id"]) for row in rows)


def _json(user: StoredUser) -> str:
    return orjson.dumps(user.custom).decode()


def stored_user(row: Row) -> StoredUser:
    """A user of a row with all the columns."""
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
        erased_at=row["erased_at"],
    )


# In the order of ids: two calls with the same users wait for each other, never in a circle.
_INSERT = """
insert into app_user (app_id, id, name, image, email, custom, created_at, updated_at)
select $1, id, name, image, email, custom::jsonb, $7, $7
from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) as given (id, name, image, email, custom)
order by id
on conflict (app_id, id) do nothing
returning id
"""

_LOCK = """
select id, name, image, email, custom, version, created_at, updated_at, deactivated_at, erased_at
from app_user
where app_id = $1 and id = any($2::text[])
order by id
for no key update
"""

_UPDATE = """
update app_user as stored
set name = given.name, image = given.image, email = given.email, custom = given.custom::jsonb,
    version = given.version, updated_at = given.updated_at
from unnest(
  $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::timestamptz[]
) as given (id, name, image, email, custom, version, updated_at)
where stored.app_id = $1 and stored.id = given.id
"""

_UPDATE_ACTIVITY = """
update app_user
set deactivated_at = $3, version = $4, updated_at = $5, tokens_valid_after = greatest(tokens_valid_after, $3)
where app_id = $1 and id = $2
"""

_NEXT_VERSION = """
update app_user set version = version + 1 where app_id = $1 and id = $2 returning version
"""

_FETCH = """
select id, name, image, email, custom, version, created_at, updated_at, deactivated_at, erased_at
from app_user
where app_id = $1 and id = $2
"""

_KNOWN = """
select id
from app_user
where app_id = $1 and id = any($2::text[]) and deactivated_at is null
"""
