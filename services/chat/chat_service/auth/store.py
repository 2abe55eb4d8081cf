"""SQL of credentials: keys by hash, secrets by app, users by id."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from chatsdk_contracts.ids import ApiKeyId, AppId, UserId
from chatsdk_runtime.encryption import Sealed
from chatsdk_runtime.postgres import Connection


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A live API key."""

    id: ApiKeyId
    app_id: AppId
    scopes: frozenset[str]


async def fetch_key(connection: Connection, key_hash: bytes) -> KnownKey | None:
    """The live key with this hash."""
    row = await connection.fetchrow(_FETCH_KEY, key_hash)
    if row is None:
        return None
    return KnownKey(ApiKeyId(str(row["id"])), AppId(str(row["app_id"])), frozenset(row["scopes"]))


async def fetch_token_secret(connection: Connection, app_id: AppId) -> Sealed | None:
    """The app's sealed token secret; None when there is no such app (any more)."""
    row = await connection.fetchrow(_FETCH_SIGNING, UUID(app_id))
    return None if row is None else Sealed(row["token_secret_key_id"], row["token_secret"])


async def user_exists(connection: Connection, app_id: AppId, user_id: UserId) -> bool:
    """Whether the app has this user, not deactivated."""
    return bool(await connection.fetchval(_USER_EXISTS, UUID(app_id), user_id))


_FETCH_KEY = """
select id, app_id, scopes
from api_key
where key_hash = $1 and revoked_at is null
"""

_FETCH_SIGNING = """
select token_secret_key_id, token_secret
from app
where id = $1
"""

_USER_EXISTS = """
select exists (
  select from app_user
  where app_id = $1 and id = $2 and deactivated_at is null
)
"""
