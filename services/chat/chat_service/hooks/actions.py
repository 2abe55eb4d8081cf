"""Use cases of the before-send hook, one transaction each. Every change raises the version of the app's screening."""

from __future__ import annotations

from datetime import datetime, timedelta

from chat_service.hooks import secrets, store
from chat_service.hooks.errors import HookNotFound
from chat_service.hooks.store import HookFields
from chat_service.hooks.views import BeforeSendHook, NewHook, NewSecret
from chat_service.screening.store import raise_version
from chatsdk_contracts.ids import AppId
from chatsdk_contracts.signatures import new_secret
from chatsdk_runtime.encryption import Keyring
from chatsdk_runtime.postgres import Connection, Transaction


async def get_hook(connection: Connection, app_id: AppId) -> BeforeSendHook:
    """The app's hook, without its secret.

    Raises:
        HookNotFound: it has none.
    """
    stored = await store.fetch_hook(connection, app_id)
    if stored is None:
        raise HookNotFound
    return stored.shown


async def put_hook(
    tx: Transaction, keyring: Keyring, app_id: AppId, fields: HookFields, now: datetime
) -> BeforeSendHook:
    """Make the hook, with a secret that is in this answer and in no later one; or change it, and keep the secret."""
    await raise_version(tx, app_id)
    if await store.fetch_hook(tx, app_id) is not None:
        await store.update_hook(tx, app_id, fields, now)
        return await get_hook(tx, app_id)
    secret = new_secret()
    await store.insert_hook(tx, app_id, fields, secrets.sealed(keyring, app_id, secret), now)
    return NewHook(**dict(await get_hook(tx, app_id)), secret=secret)


async def rotate_secret(
    tx: Transaction, keyring: Keyring, app_id: AppId, *, overlap_s: int, now: datetime
) -> NewSecret:
    """A new secret; the present one signs along for `overlap_s` seconds.

    Raises:
        HookNotFound: the app has no hook.
    """
    await raise_version(tx, app_id)
    await get_hook(tx, app_id)
    secret = new_secret()
    until = now + timedelta(seconds=overlap_s) if overlap_s else None
    await store.rotate_secret(tx, app_id, secrets.sealed(keyring, app_id, secret), until, now)
    return NewSecret(secret=secret, rotated_at=now, previous_valid_until=until)


async def remove_hook(tx: Transaction, app_id: AppId) -> BeforeSendHook:
    """Take the hook away; it is the answer.

    Raises:
        HookNotFound: the app has none.
    """
    await raise_version(tx, app_id)
    removed = await get_hook(tx, app_id)
    await store.delete_hook(tx, app_id)
    return removed
