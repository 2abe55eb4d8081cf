"""HTTP in: /api/moderation/verdicts, for an app's servers."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from chat_service.auth.credentials import Moderator
from chat_service.doors import resources_of
from chat_service.paging import Cursor, Limit, time_and_id
from chat_service.screening import actions
from chat_service.screening.store import VerdictFilter
from chat_service.wire_input import InputUserId
from chatsdk_contracts.ids import ChannelId, MessageId
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.postgres import reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/moderation/verdicts", tags=["moderation"])


@router.get("")
async def list_verdicts(
    request: Request,
    caller: Moderator,
    message_id: Annotated[UUID | None, Query(alias="messageId", description="About this message.")] = None,
    channel_id: Annotated[UUID | None, Query(alias="channelId", description="In this channel.")] = None,
    user_id: Annotated[InputUserId | None, Query(alias="userId", description="About this sender.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """What the word list and the hook decided, the newest first; kept for 30 days."""
    wanted = VerdictFilter(
        None if message_id is None else MessageId(str(message_id)),
        None if channel_id is None else ChannelId(str(channel_id)),
        user_id,
    )
    before = time_and_id(cursor)
    async with reading(resources_of(request).pool) as connection:
        page = await actions.list_verdicts(connection, caller.app_id, wanted, before=before, limit=limit)
    return RawJson(data_json(page))
