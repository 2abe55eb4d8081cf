"""HTTP in: pinning a message, and the pins of a channel."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request, Response

from chat_service.auth.credentials import ChatReader, ChatWriter
from chat_service.doors import mutate, require_channel_id, resources_of
from chat_service.messages.actions import present
from chat_service.messages.requests import change_of
from chat_service.pins import actions
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

# Tried before the messages' own routes, one of which would take `pins` for a message's id.
older_router = APIRouter(prefix="/api/channels/{channel_id}/messages/pins", tags=["pins"])
router = APIRouter(prefix="/api/channels/{channel_id}", tags=["pins"])


@router.post("/messages/{message_id}/pin")
async def pin_message(request: Request, channel_id: str, message_id: str, caller: ChatWriter) -> Response:
    """Pin a message: everybody in messaging and group channels, moderators elsewhere."""
    change = change_of(request, caller, channel_id, message_id)

    async def effect(tx: Transaction) -> Answer:
        return await actions.pin(tx, change)

    return await mutate(request, caller.scope, effect, partial(present, change=change))


@router.delete("/messages/{message_id}/pin")
async def unpin_message(request: Request, channel_id: str, message_id: str, caller: ChatWriter) -> Response:
    """Unpin a message: who may pin may unpin, whoever pinned it."""
    change = change_of(request, caller, channel_id, message_id)

    async def effect(tx: Transaction) -> Answer:
        return await actions.unpin(tx, change)

    return await mutate(request, caller.scope, effect, partial(present, change=change))


@router.get("/pins")
@older_router.get("", summary="List Pins (older path)")
async def list_pins(request: Request, channel_id: str, caller: ChatReader) -> Response:
    """The pinned messages of a channel, the newest pin first."""
    wanted = require_channel_id(channel_id)
    async with reading(resources_of(request).pool) as connection:
        answer = await actions.list_pins(connection, caller, wanted)
    return RawJson(answer.body, answer.status_code)
