"""HTTP in: a channel's held messages, for its moderators."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from chat_service.auth.credentials import ChatReader, ChatWriter
from chat_service.auth.principal import Principal
from chat_service.doors import (
    cause_of,
    mutate,
    require_channel_id,
    require_message_id,
    resources_of,
    utc_now,
)
from chat_service.paging import Cursor, Limit, time_and_id
from chat_service.review import actions
from chat_service.review.actions import Decision
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/channels/{channel_id}", tags=["moderation"])


@router.get("/held")
async def list_held_here(
    request: Request, channel_id: str, caller: ChatReader, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """What waits in this channel, the oldest first: its moderators."""
    channel, after = require_channel_id(channel_id), time_and_id(cursor)
    async with reading(resources_of(request).pool) as connection:
        page = await actions.list_held(connection, caller, channel, after=after, limit=limit)
    return RawJson(data_json(page))


@router.post("/messages/{message_id}/approve")
async def approve_message(request: Request, channel_id: str, message_id: str, caller: ChatWriter) -> Response:
    """Send a held message now: moderators."""
    decision = _decision(request, channel_id, message_id, caller)

    async def effect(tx: Transaction) -> Answer:
        return await actions.approve(tx, decision)

    return await mutate(request, caller.scope, effect)


@router.post("/messages/{message_id}/reject")
async def reject_message(request: Request, channel_id: str, message_id: str, caller: ChatWriter) -> Response:
    """Never send a held message: moderators."""
    decision = _decision(request, channel_id, message_id, caller)

    async def effect(tx: Transaction) -> Answer:
        return await actions.reject(tx, decision)

    return await mutate(request, caller.scope, effect)


def _decision(request: Request, channel_id: str, message_id: str, caller: Principal) -> Decision:
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())
    return Decision(caller, require_channel_id(channel_id), require_message_id(message_id), cause)
