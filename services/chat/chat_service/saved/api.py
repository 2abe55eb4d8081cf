"""HTTP in: saving a message for oneself, and the list of what one saved."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from chat_service.auth.credentials import ReadingUser, WritingUser
from chat_service.doors import mutate, require_channel_id, require_message_id, resources_of, utc_now
from chat_service.paging import Cursor, Limit, time_and_id
from chat_service.saved import actions
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(tags=["saved"])

_PATH = "/api/channels/{channel_id}/messages/{message_id}/save"


@router.post(_PATH, status_code=201)
async def save_message(request: Request, channel_id: str, message_id: str, caller: WritingUser) -> Response:
    """Save a message for oneself: 201, or 200 when it is saved already."""
    channel, message, now = require_channel_id(channel_id), require_message_id(message_id), utc_now()

    async def effect(tx: Transaction) -> Answer:
        return await actions.save(tx, caller, channel, message, now)

    return await mutate(request, caller.scope, effect)


@router.delete(_PATH)
async def unsave_message(request: Request, channel_id: str, message_id: str, caller: WritingUser) -> Response:
    """Take a message off one's list."""
    channel, message = require_channel_id(channel_id), require_message_id(message_id)

    async def effect(tx: Transaction) -> Answer:
        return await actions.unsave(tx, caller, channel, message)

    return await mutate(request, caller.scope, effect)


# Tried before the users' own routes: a user id may hold a slash, and `me/saved` would be one.
@router.get("/api/users/me/saved")
async def list_saved(
    request: Request, caller: ReadingUser, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """What one saved and may still see, the newest first."""
    before = time_and_id(cursor)
    async with reading(resources_of(request).pool) as connection:
        answer = await actions.list_saved(connection, caller, before=before, limit=limit)
    return RawJson(answer.body, answer.status_code)
