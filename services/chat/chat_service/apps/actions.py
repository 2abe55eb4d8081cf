"""Use cases of apps: make one, list them, give and take their keys."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime

from chat_service.apps import store
from chat_service.apps.views import ApiKey, ApiKeyPage, App, AppPage, NewApiKey, NewApp
from chat_service.auth.verifier import key_hash
from chat_service.errors import ApiKeyNotFound, AppNotFound
from chat_service.paging import encode_cursor
from chatsdk_contracts.ids import ApiKeyId, AppId, new_id
from chatsdk_runtime.encryption import Keyring
from chatsdk_runtime.postgres import Connection, Transaction

_SECRET_BYTES = 32
_KEY_BYTES = 20


async def create_app(tx: Transaction, keyring: Keyring, name: str, now: datetime) -> NewApp:
    """An app with a token secret of its own and a first API key."""
    app = App(id=AppId(new_id()), name=name, created_at=now)
    sealed = keyring.seal(secrets.token_bytes(_SECRET_BYTES), table="app", column="token_secret", row=app.id)
    await store.insert_app(tx, app, sealed)
    key = await create_key(tx, app.id, "first key", (), now)
    return NewApp(id=app.id, name=app.name, created_at=app.created_at, api_key=key.api_key)


async def list_apps(connection: Connection, *, after: str | None, limit: int) -> AppPage:
    """Apps in the order of their making."""
    found = await store.list_apps(connection, after=after, limit=limit + 1)
    page = list(found[:limit])
    more = len(found) > limit
    return AppPage(apps=page, next_cursor=encode_cursor(page[-1].id) if more else None, has_more=more)


async def create_key(
    tx: Transaction, app_id: AppId, name: str, scopes: Sequence[str], now: datetime
) -> NewApiKey:
    """One more key for an app.

    Raises:
        AppNotFound: there is no such app.
    """
    await _require_app(tx, app_id)
    credential = f"chatsdk_{secrets.token_hex(_KEY_BYTES)}"
    key = NewApiKey(
        id=ApiKeyId(new_id()),
        app_id=app_id,
        name=name,
        scopes=sorted(set(scopes)),
        created_at=now,
        api_key=credential,
    )
    await store.insert_key(tx, key, key_hash(credential))
    return key


async def list_keys(connection: Connection, app_id: AppId) -> ApiKeyPage:
    """The app's keys.

    Raises:
        AppNotFound: there is no such app.
    """
    await _require_app(connection, app_id)
    keys = await store.list_keys(connection, app_id)
    return ApiKeyPage(keys=list(keys), next_cursor=None, has_more=False)


async def revoke_key(tx: Transaction, app_id: AppId, key_id: ApiKeyId, now: datetime) -> ApiKey:
    """Take a key back; it stops working everywhere within five seconds.

    Raises:
        ApiKeyNotFound: the app has no such key.
    """
    key = await store.revoke_key(tx, app_id, key_id, now)
    if key is None:
        raise ApiKeyNotFound
    return key


async def _require_app(connection: Connection, app_id: AppId) -> None:
    if not await store.app_exists(connection, app_id):
        raise AppNotFound
