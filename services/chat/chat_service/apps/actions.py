"""Use cases of apps: make one, list them, give and take their keys, choose their settings."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chat_service.apps import rules, store
from chat_service.apps.settings_model import AppSettings
from chat_service.apps.views import ApiKey, ApiKeyPage, App, AppPage, NewApiKey, NewApp
from chat_service.audit.actions import Target, note
from chat_service.auth.principal import Principal
from chat_service.auth.verifier import key_hash
from chat_service.errors import ApiKeyNotFound, AppNotFound
from chat_service.events.log import Cause
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
    key = await _make_key(tx, app.id, "first key", (), now)
    return NewApp(id=app.id, name=app.name, created_at=app.created_at, api_key=key.api_key)


async def list_apps(connection: Connection, *, after: str | None, limit: int) -> AppPage:
    """Apps in the order of their making."""
    found = await store.list_apps(connection, after=after, limit=limit + 1)
    page = list(found[:limit])
    more = len(found) > limit
    return AppPage(apps=page, next_cursor=encode_cursor(page[-1].id) if more else None, has_more=more)


async def create_key(tx: Transaction, cause: Cause, name: str, scopes: Sequence[str]) -> NewApiKey:
    """One more key for an app.

    Raises:
        AppNotFound: there is no such app.
    """
    await _require_app(tx, cause.app_id)
    key = await _make_key(tx, cause.app_id, name, scopes, cause.now)
    await note(tx, cause, "key.created", Target("key", key.id), {"scopes": key.scopes})
    return key


async def _make_key(
    tx: Transaction, app_id: AppId, name: str, scopes: Sequence[str], now: datetime
) -> NewApiKey:
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


async def revoke_key(tx: Transaction, cause: Cause, key_id: ApiKeyId) -> ApiKey:
    """Take a key back; it stops working everywhere within five seconds.

    Raises:
        ApiKeyNotFound: the app has no such key.
    """
    key = await store.revoke_key(tx, cause.app_id, key_id, cause.now)
    if key is None:
        raise ApiKeyNotFound
    if key.revoked_at == cause.now:
        await note(tx, cause, "key.revoked", Target("key", key.id))
    return key


async def create_own_key(
    tx: Transaction, cause: Cause, caller: Principal, name: str, scopes: Sequence[str]
) -> NewApiKey:
    """One more key for the caller's app, of no more scopes than the caller's key has.

    Raises:
        ScopeMissing: it would have more.
    """
    rules.require_reach(caller.scopes, scopes)
    return await create_key(tx, cause, name, scopes)


async def revoke_own_key(tx: Transaction, cause: Cause, caller: Principal, key_id: ApiKeyId) -> ApiKey:
    """Take back a key of the caller's app, perhaps the caller's own.

    Raises:
        ApiKeyNotFound: the app has no such key.
        ScopeMissing: the key may more than the caller's.
        LastFullKey: no other live key has all rights.
    """
    # Two full keys that take each other back at the same time must not both succeed.
    await store.lock_app(tx, caller.app_id)
    key = await store.fetch_key(tx, caller.app_id, key_id)
    if key is None:
        raise ApiKeyNotFound
    if key.revoked_at is not None:
        return key
    rules.require_reach(caller.scopes, key.scopes)
    others = await store.count_other_full_keys(tx, caller.app_id, key_id)
    rules.require_revocable(key.scopes, other_full_keys=others)
    return await revoke_key(tx, cause, key_id)


async def get_settings(connection: Connection, app_id: AppId) -> AppSettings:
    """What the app's owner chose, over the defaults."""
    return await store.fetch_settings(connection, app_id)


async def change_settings(
    tx: Transaction, cause: Cause, given: dict[str, Any]
) -> tuple[AppSettings, list[str]]:
    """Choose the settings given, the others stay; with the wire names of those that are different now."""
    app_id = cause.app_id
    await store.lock_app(tx, app_id)
    settings = await store.fetch_settings(tx, app_id)
    changed = rules.changed_settings(settings, given)
    if not changed:
        return settings, []
    after = settings.model_copy(update=changed)
    on_wire = after.model_dump(mode="json", include=set(changed))
    await store.update_settings(tx, app_id, on_wire, cause.now)
    names = sorted(on_wire)
    await note(tx, cause, "settings.changed", Target("app", app_id), {"changed": names})
    return after, names


async def _require_app(connection: Connection, app_id: AppId) -> None:
    if not await store.app_exists(connection, app_id):
        raise AppNotFound
