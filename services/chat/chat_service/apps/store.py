"""SQL of apps and their API keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from chat_service.apps.settings_model import AppSettings
from chat_service.apps.views import ApiKey, App
from chatsdk_contracts.ids import ApiKeyId, AppId
from chatsdk_runtime.encryption import Sealed
from chatsdk_runtime.postgres import Connection, Row, Transaction

_FIRST = UUID(int=0)


async def insert_app(tx: Transaction, app: App, token_secret: Sealed) -> None:
    """A new app with its sealed token secret."""
    sealed = (token_secret.key_id, token_secret.ciphertext)
    await tx.execute(_INSERT_APP, UUID(app.id), app.name, *sealed, app.created_at)


async def app_exists(connection: Connection, app_id: AppId) -> bool:
    """Whether there is such an app."""
    return bool(await connection.fetchval(_APP_EXISTS, UUID(app_id)))


async def list_apps(connection: Connection, *, after: str | None, limit: int) -> Sequence[App]:
    """Apps in the order of their making, those after one."""
    rows = await connection.fetch(_LIST_APPS, UUID(after) if after else _FIRST, limit)
    return [App(id=AppId(str(row["id"])), name=row["name"], created_at=row["created_at"]) for row in rows]


async def insert_key(tx: Transaction, key: ApiKey, key_hash: bytes) -> None:
    """A new key of an app, by its hash."""
    app_id = UUID(key.app_id)
    await tx.execute(_INSERT_KEY, UUID(key.id), app_id, key.name, key_hash, key.scopes, key.created_at)


async def list_keys(connection: Connection, app_id: AppId) -> Sequence[ApiKey]:
    """The app's keys in the order of their making, revoked ones too."""
    return [_key(row) for row in await connection.fetch(_LIST_KEYS, UUID(app_id))]


async def lock_app(tx: Transaction, app_id: AppId) -> bool:
    """Lock the app's row: its keys and settings are changed one after the other. False: no such app."""
    return await tx.fetchval(_LOCK_APP, UUID(app_id)) is not None


async def fetch_key(connection: Connection, app_id: AppId, key_id: ApiKeyId) -> ApiKey | None:
    """One key of the app, also a revoked one."""
    row = await connection.fetchrow(_FETCH_KEY, UUID(app_id), UUID(key_id))
    return None if row is None else _key(row)


async def count_other_full_keys(connection: Connection, app_id: AppId, key_id: ApiKeyId) -> int:
    """How many live keys without scopes the app has beside this one."""
    return int(await connection.fetchval(_COUNT_OTHER_FULL_KEYS, UUID(app_id), UUID(key_id)))


async def fetch_settings(connection: Connection, app_id: AppId) -> AppSettings:
    """What the app's owner chose, over the defaults."""
    return AppSettings.model_validate_json(await connection.fetchval(_FETCH_SETTINGS, UUID(app_id)) or "{}")


async def update_settings(tx: Transaction, app_id: AppId, given: Mapping[str, Any], now: datetime) -> None:
    """Put these settings, by their wire names, over what is stored; what a later release stored stays."""
    await tx.execute(_UPDATE_SETTINGS, UUID(app_id), orjson.dumps(given).decode(), now)


async def revoke_key(tx: Transaction, app_id: AppId, key_id: ApiKeyId, now: datetime) -> ApiKey | None:
    """Revoke; the first revocation's time stays. None when the app has no such key."""
    row = await tx.fetchrow(_REVOKE_KEY, UUID(app_id), UUID(key_id), now)
    return None if row is None else _key(row)


def _key(row: Row) -> ApiKey:
    return ApiKey(
        id=ApiKeyId(str(row["id"])),
        app_id=AppId(str(row["app_id"])),
        name=row["name"],
        scopes=row["scopes"],
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        revoked_at=row["revoked_at"],
    )


_INSERT_APP = """
insert into app (id, name, token_secret_key_id, token_secret, created_at, updated_at)
values ($1, $2, $3, $4, $5, $5)
"""

_APP_EXISTS = "select exists (select from app where id = $1)"

_LIST_APPS = """
select id, name, created_at
from app
where id > $1
order by id
limit $2
"""

_INSERT_KEY = """
insert into api_key (id, app_id, name, key_hash, scopes, created_at)
values ($1, $2, $3, $4, $5, $6)
"""

_LIST_KEYS = """
select id, app_id, name, scopes, created_at, last_used_at, revoked_at
from api_key
where app_id = $1
order by id
"""

_REVOKE_KEY = """
update api_key
set revoked_at = coalesce(revoked_at, $3)
where app_id = $1 and id = $2
returning id, app_id, name, scopes, created_at, last_used_at, revoked_at
"""

_LOCK_APP = "select id from app where id = $1 for no key update"

_FETCH_KEY = """
select id, app_id, name, scopes, created_at, last_used_at, revoked_at
from api_key
where app_id = $1 and id = $2
"""

_COUNT_OTHER_FULL_KEYS = """
select count(*)
from api_key
where app_id = $1 and id <> $2 and revoked_at is null and scopes = '{}'
"""

_FETCH_SETTINGS = """
select settings
from app
where id = $1
"""

_UPDATE_SETTINGS = """
update app
set settings = settings || $2::jsonb, updated_at = $3
where id = $1
"""
