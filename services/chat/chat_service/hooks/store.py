"""SQL of before-send hooks. Secrets come and go sealed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from chat_service.hooks.views import BeforeSendHook
from chatsdk_contracts.ids import AppId
from chatsdk_runtime.encryption import Sealed
from chatsdk_runtime.postgres import Connection, Row, Transaction


@dataclass(frozen=True, slots=True)
class HookFields:
    """What an app's owner says about a hook."""

    url: str
    timeout_ms: int
    on_failure: str
    on_failure_by_type: Mapping[str, str]
    enabled: bool


@dataclass(frozen=True, slots=True)
class StoredHook:
    """A hook with its secrets; the previous one signs along until `previous_until`."""

    shown: BeforeSendHook
    secret: Sealed
    previous: Sealed | None
    previous_until: datetime | None


async def fetch_hook(connection: Connection, app_id: AppId) -> StoredHook | None:
    """The app's hook, also one that is switched off."""
    row = await connection.fetchrow(_FETCH, UUID(app_id))
    return None if row is None else _stored(row)


async def insert_hook(
    tx: Transaction, app_id: AppId, fields: HookFields, secret: Sealed, now: datetime
) -> None:
    """A new hook."""
    await tx.execute(_INSERT, UUID(app_id), *_values(fields), now, secret.key_id, secret.ciphertext)


async def update_hook(tx: Transaction, app_id: AppId, fields: HookFields, now: datetime) -> None:
    """Write what the owner says now; the secret stays."""
    await tx.execute(_UPDATE, UUID(app_id), *_values(fields), now)


async def rotate_secret(
    tx: Transaction, app_id: AppId, secret: Sealed, previous_until: datetime | None, now: datetime
) -> None:
    """Put a new secret before the present one, which signs along for a while, or (None) ends."""
    await tx.execute(_ROTATE, UUID(app_id), secret.key_id, secret.ciphertext, previous_until, now)


async def delete_hook(tx: Transaction, app_id: AppId) -> None:
    """Remove the hook and its secrets."""
    await tx.execute("delete from before_send_hook where app_id = $1", UUID(app_id))


def _values(fields: HookFields) -> tuple[str, int, str, str, bool]:
    by_type = orjson.dumps(dict(fields.on_failure_by_type)).decode()
    return fields.url, fields.timeout_ms, fields.on_failure, by_type, fields.enabled


def _stored(row: Row) -> StoredHook:
    previous = row["previous_secret"]
    return StoredHook(
        BeforeSendHook(
            url=row["url"],
            timeout_ms=row["timeout_ms"],
            on_failure=row["on_failure"],
            on_failure_by_type=orjson.loads(row["on_failure_by_type"]),
            enabled=row["enabled"],
            created_at=row["created_at"],
            updated_at=row["updated_at"],
        ),
        Sealed(row["key_id"], row["secret"]),
        None if previous is None else Sealed(row["previous_key_id"], previous),
        row["previous_until"],
    )


_FETCH = """
select url, timeout_ms, on_failure, on_failure_by_type, enabled, key_id, secret, previous_key_id, previous_secret,
  previous_until, created_at, updated_at
from before_send_hook
where app_id = $1
"""

_INSERT = """
insert into before_send_hook (
  app_id, url, timeout_ms, on_failure, on_failure_by_type, enabled, created_at, updated_at, key_id, secret
)
values ($1, $2, $3, $4, $5::jsonb, $6, $7, $7, $8, $9)
"""

_UPDATE = """
update before_send_hook
set url = $2, timeout_ms = $3, on_failure = $4, on_failure_by_type = $5::jsonb, enabled = $6, updated_at = $7
where app_id = $1
"""

_ROTATE = """
update before_send_hook
set previous_key_id = case when $4::timestamptz is not null then key_id end,
  previous_secret = case when $4::timestamptz is not null then secret end,
  previous_until = $4, key_id = $2, secret = $3, updated_at = $5
where app_id = $1
"""
