"""HTTP in: /api/audit, for the app's servers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from chat_service.audit import actions
from chat_service.audit.actions import Action, Filters
from chat_service.auth.credentials import Moderator
from chat_service.doors import require_channel_id, resources_of
from chat_service.paging import Cursor, Limit, id_in_cursor
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.postgres import reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/audit", tags=["audit"])


def _filters(
    action: Annotated[Action | None, Query(description="Only this action.")] = None,
    actor_id: Annotated[str | None, Query(alias="actorId", max_length=255)] = None,
    target_id: Annotated[str | None, Query(alias="targetId", max_length=255)] = None,
    channel_id: Annotated[str | None, Query(alias="channelId", max_length=255)] = None,
) -> Filters:
    channel = None if channel_id is None else require_channel_id(channel_id)
    return Filters(action, actor_id, target_id, channel)


@router.get("")
async def list_entries(
    request: Request,
    caller: Moderator,
    filters: Annotated[Filters, Depends(_filters)],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Who did what to whom, the newest first."""
    before = id_in_cursor(cursor)
    async with reading(resources_of(request).pool) as connection:
        page = await actions.list_entries(connection, caller.app_id, filters, before=before, limit=limit)
    return RawJson(data_json(page))
