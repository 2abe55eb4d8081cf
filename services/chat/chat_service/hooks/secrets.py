"""A hook's secrets at rest: each sealed for the place where it stands."""

from __future__ import annotations

from datetime import datetime

from chat_service.hooks.store import StoredHook
from chatsdk_contracts.ids import AppId
from chatsdk_runtime.encryption import Keyring, Sealed


def sealed(keyring: Keyring, app_id: AppId, secret: str) -> Sealed:
    """A secret as it is stored. It keeps its place when it becomes the previous one."""
    return keyring.seal(secret.encode(), table="before_send_hook", column="secret", row=app_id)


def live(keyring: Keyring, app_id: AppId, hook: StoredHook, now: datetime) -> tuple[str, ...]:
    """What calls are signed with now, the newest first."""
    secrets = [hook.secret]
    if hook.previous is not None and hook.previous_until is not None and hook.previous_until > now:
        secrets.append(hook.previous)
    return tuple(
        keyring.open(one, table="before_send_hook", column="secret", row=app_id).decode() for one in secrets
    )
