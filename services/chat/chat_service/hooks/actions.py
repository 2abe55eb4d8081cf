"""Use cases of the before-send hook, one transaction each. Every change raises the version of the app's screening."""

from __future__ import annotations

from datetime import timedelta

from chat_service.audit.actions import Target, note
from chat_service.events.log import Cause
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


async def put_hook(tx: Transaction, keyring: Keyring, cause: Cause, fields: HookFields) -> BeforeSendHook:
    """Make the hook, with a secret that is in this answer and in no later one; or change it, and keep the secret."""
    app_id = cause.app_id
    await raise_version(tx, app_id)
    details = {"enabled": fields.enabled, "onFailure": fields.on_failure, "timeoutMs": fields.timeout_ms}
    await note(tx, cause, "hook.changed", Target("app", app_id), details)
    if await store.fetch_hook(tx, app_id) is not None:
        await store.update_hook(tx, app_id, fields, cause.now)
        return await get_hook(tx, app_id)
    secret = new_secret()
    await store.insert_hook(tx, app_id, fields, secrets.sealed(keyring, app_id, secret), cause.now)
    return NewHook(**dict(await get_hook(tx, app_id)), secret=secret)


async def rotate_secret(tx: Transaction, keyring: Keyring, cause: Cause, *, overlap_s: int) -> NewSecret:
    """A new secret; the present one signs along for `overlap_s` seconds.

    Raises:
        HookNotFound: the app has no hook.
    """
    app_id, now = cause.app_id, cause.now
    await raise_version(tx, app_id)
    await get_hook(tx, app_id)
    secret = new_secret()
    until = now + timedelta(seconds=overlap_s) if overlap_s else None
    await store.rotate_secret(tx, app_id, secrets.sealed(keyring, app_id, secret), until, now)
    await note(tx, cause, "hook.secret_rotated", Target("app", app_id), {"overlapS": overlap_s})
    return NewSecret(secret=secret, rotated_at=now, previous_valid_until=until)


async def remove_hook(tx: Transaction, cause: Cause) -> BeforeSendHook:
    """Take the hook away; it is the answer.

    Raises:
        HookNotFound: the app has none.
    """
    await raise_version(tx, cause.app_id)
    removed = await get_hook(tx, cause.app_id)
    await store.delete_hook(tx, cause.app_id)
    await note(tx, cause, "hook.removed", Target("app", cause.app_id))
    return removed
