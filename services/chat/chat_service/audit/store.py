"""SQL of the audit log."""

from __future__ import annotations

from uuid import UUID

import orjson

from chat_service.audit.views import AuditEntry
from chatsdk_contracts.ids import ApiKeyId, AppId, ChannelId
from chatsdk_runtime.postgres import Connection, Row, Transaction

Wanted = tuple[str | None, str | None, str | None, ChannelId | None]
"""Action, actor, target and channel of the entries to list; None is any."""


async def insert(tx: Transaction, app_id: AppId, entry: AuditEntry) -> None:
    """Write an entry; nobody changes or deletes one."""
    await tx.execute(
        _INSERT,
        UUID(entry.id),
        UUID(app_id),
        entry.at,
        entry.action,
        entry.actor_kind,
        entry.actor_id,
        None if entry.key_id is None else UUID(entry.key_id),
        entry.target_kind,
        entry.target_id,
        None if entry.channel_id is None else UUID(entry.channel_id),
        orjson.dumps(entry.details).decode(),
        entry.request_id,
    )


async def list_entries(
    connection: Connection, app_id: AppId, wanted: Wanted, *, before: UUID | None, limit: int
) -> list[AuditEntry]:
    """The app's entries by id, the newest first, those before one."""
    action, actor_id, target_id, channel_id = wanted
    rows = await connection.fetch(
        _LIST,
        UUID(app_id),
        action,
        actor_id,
        target_id,
        None if channel_id is None else UUID(channel_id),
        before,
        limit,
    )
    return [_entry(row) for row in rows]


def _entry(row: Row) -> AuditEntry:
    return AuditEntry(
        id=str(row["id"]),
        at=row["at"],
        action=row["action"],
        actor_kind=row["actor_kind"],
        actor_id=row["actor_id"],
        key_id=None if row["key_id"] is None else ApiKeyId(str(row["key_id"])),
        target_kind=row["target_kind"],
        target_id=row["target_id"],
        channel_id=None if row["channel_id"] is None else ChannelId(str(row["channel_id"])),
        details=orjson.loads(row["details"]),
        request_id=row["request_id"],
    )


_INSERT = """
insert into audit_entry (
  id, app_id, at, action, actor_kind, actor_id, key_id, target_kind, target_id, channel_id, details, request_id
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""

_LIST = """
select *
from audit_entry
where app_id = $1 and ($2::text is null or action = $2) and ($3::text is null or actor_id = $3)
  and ($4::text is null or target_id = $4) and ($5::uuid is null or channel_id = $5)
  and ($6::uuid is null or id < $6)
order by id desc
limit $7
"""
