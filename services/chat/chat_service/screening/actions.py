"""Use case: what was decided on an app's messages."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from chat_service.paging import encode_cursor
from chat_service.screening import store
from chat_service.screening.store import VerdictFilter
from chat_service.screening.views import VerdictPage
from chatsdk_contracts.ids import AppId
from chatsdk_runtime.postgres import Connection


async def list_verdicts(
    connection: Connection,
    app_id: AppId,
    wanted: VerdictFilter,
    *,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> VerdictPage:
    """The app's verdicts, the newest first."""
    found = await store.list_verdicts(connection, app_id, wanted, before=before, limit=limit + 1)
    page, more = found[:limit], len(found) > limit
    cursor = encode_cursor(page[-1].created_at.isoformat(), page[-1].id) if more else None
    return VerdictPage(verdicts=page, next_cursor=cursor, has_more=more)
