"""Use cases of the audit log: note what was done in the transaction that does it, and list what was noted.

Nothing of what anybody said is in it: who, what, to whom, when, and by which call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from chat_service.audit import store
from chat_service.audit.rules import kind_of
from chat_service.audit.views import AuditEntry, AuditPage
from chat_service.events.log import Cause
from chat_service.paging import encode_cursor
from chatsdk_contracts.ids import AppId, ChannelId, new_id
from chatsdk_runtime.postgres import Connection, Transaction

Action = Literal[
    "key.created",
    "key.revoked",
    "settings.changed",
    "user.banned",
    "user.unbanned",
    "report.reviewed",
    "message.purged",
    "message.approved",
    "message.rejected",
    "channel.truncated",
    "word_list.changed",
    "hook.changed",
    "hook.secret_rotated",
    "hook.removed",
    "hold.placed",
    "hold.released",
]
"""What is noted. A new action is a word here and a `note` beside the change."""

TargetKind = Literal["app", "key", "user", "message", "channel", "report"]


@dataclass(frozen=True, slots=True)
class Target:
    """To what something was done, and in which channel that is."""

    kind: TargetKind
    id: str
    channel_id: ChannelId | None = None


@dataclass(frozen=True, slots=True)
class Filters:
    """Which entries to list; None is any."""

    action: Action | None = None
    actor_id: str | None = None
    target_id: str | None = None
    channel_id: ChannelId | None = None


async def note(
    tx: Transaction, cause: Cause, action: Action, target: Target, details: Mapping[str, Any] | None = None
) -> None:
    """Write what this transaction does. `details`: names and numbers, never what somebody said."""
    entry = AuditEntry(
        id=new_id(),
        at=cause.now,
        action=action,
        actor_kind=kind_of(cause),
        actor_id=cause.actor_id,
        key_id=cause.key_id,
        target_kind=target.kind,
        target_id=target.id,
        channel_id=target.channel_id,
        details=dict(details or {}),
        request_id=cause.request_id,
    )
    await store.insert(tx, cause.app_id, entry)


async def list_entries(
    connection: Connection, app_id: AppId, filters: Filters, *, before: UUID | None, limit: int
) -> AuditPage:
    """The app's entries, the newest first."""
    found = await store.list_entries(
        connection,
        app_id,
        (filters.action, filters.actor_id, filters.target_id, filters.channel_id),
        before=before,
        limit=limit + 1,
    )
    page, more = found[:limit], len(found) > limit
    return AuditPage(entries=page, next_cursor=encode_cursor(page[-1].id) if more else None, has_more=more)
