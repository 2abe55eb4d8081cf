"""SQL of credentials: keys by hash, secrets by app, users by id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chatsdk_contracts.ids import ApiKeyId, AppId, UserId
from chatsdk_runtime.encryption import Sealed
from chatsdk_runtime.postgres import Connection, Transaction


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


@dataclass(frozen=True, slots=True)
class Signing:
    """What an app's tokens are signed with, and up to when all of them are revoked."""

    secret: Sealed
    valid_after: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides on a user's token: deactivation and revocation, of all the user's tokens and of this one."""

    is_active: bool
    valid_after: datetime | None
    is_revoked: bool = False


async def fetch_signing(connection: Connection, app_id: AppId) -> Signing | None:
    """The app's signing secret; None when there is no such app (any more)."""
    row = await connection.fetchrow(_FETCH_SIGNING, UUID(app_id))
    if row is None:
        return None
    return Signing(Sealed(row["token_secret_key_id"], row["token_secret"]), row["tokens_valid_after"])


async def fetch_standing(
    connection: Connection, app_id: AppId, user_id: UserId, token_id: str | None
) -> Standing | None:
    """How a user stands, and one of their tokens if one is named; None when the app has no such user."""
    jti = None if token_id is None else UUID(token_id)
    row = await connection.fetchrow(_FETCH_STANDING, UUID(app_id), user_id, jti)
    if row is None:
        return None
    return Standing(row["is_active"], row["tokens_valid_after"], row["is_revoked"])


async def revoke_token(tx: Transaction, app_id: AppId, jti: str, *, until: datetime) -> None:
    """Revoke one token; the row is needed until the token would have expired by itself."""
    await tx.execute(_REVOKE_ONE, UUID(app_id), UUID(jti), until)


async def revoke_tokens_of_user(tx: Transaction, app_id: AppId, user_id: UserId, now: datetime) -> bool:
    """Revoke what was issued to the user until now; False when there is no such user."""
    return await tx.fetchval(_REVOKE_ALL_OF_USER, UUID(app_id), user_id, now) is not None


async def revoke_tokens_of_app(tx: Transaction, app_id: AppId, now: datetime) -> None:
    """Revoke what was issued to any user of the app until now."""
    await tx.execute(_REVOKE_ALL_OF_APP, UUID(app_id), now)


async def forget_revoked(connection: Connection, *, limit: int = 5_000) -> int:
    """Delete revocations of tokens that have expired, at most `limit` at a time; returns how many."""
    return len(await connection.fetch(_FORGET_REVOKED, limit))


async def note_key_uses(connection: Connection, uses: Mapping[ApiKeyId, datetime]) -> None:
    """Write when keys were last used; a key whose time is less than a minute old keeps it."""
    await connection.execute(_NOTE_KEY_USES, [UUID(key_id) for key_id in uses], list(uses.values()))


_FETCH_KEY = """
select id, app_id, scopes
from api_key
where key_hash = $1 and revoked_at is null
"""

_FETCH_SIGNING = """
select token_secret_key_id, token_secret, tokens_valid_after
from app
where id = $1
"""

_FETCH_STANDING = """
select deactivated_at is null as is_active, tokens_valid_after,
  exists (select from revoked_token where app_id = $1 and jti = $3) as is_revoked
from app_user
where app_id = $1 and id = $2
"""

_REVOKE_ONE = """
insert into revoked_token (app_id, jti, expires_at)
values ($1, $2, $3)
on conflict (app_id, jti) do nothing
"""

_REVOKE_ALL_OF_USER = """
update app_user
set tokens_valid_after = greatest(tokens_valid_after, $3)
where app_id = $1 and id = $2
returning id
"""

_REVOKE_ALL_OF_APP = """
update app
set tokens_valid_after = greatest(tokens_valid_after, $2)
where id = $1
"""

_FORGET_REVOKED = """
delete from revoked_token
where (app_id, jti) in (select app_id, jti from revoked_token where expires_at <= now() limit $1)
returning 1
"""

_NOTE_KEY_USES = """
update api_key
set last_used_at = use.at
from unnest($1::uuid[], $2::timestamptz[]) as use (id, at)
where api_key.id = use.id
  and (api_key.last_used_at is null or api_key.last_used_at < use.at - interval '1 minute')
"""
