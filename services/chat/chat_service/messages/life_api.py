"""HTTP in: what a message said before, and restoring or purging it."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request, Response

from chat_service.auth.credentials import ChatReader, ChatWriter
from chat_service.doors import mutate, require_channel_id, require_message_id, resources_of
from chat_service.messages import actions, history, removal
from chat_service.messages.requests import change_of
from chat_service.messages.shelf import Shelf
from chat_service.paging import Cursor, Limit, broken_cursor, decode_cursor, is_number
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/channels/{channel_id}/messages/{message_id}", tags=["messages"])


@router.post("/undelete")
async def undelete_message(
    request: Request, channel_id: str, message_id: str, caller: ChatWriter
) -> Response:
    """Restore a deleted message while it is kept: moderators, and the author who deleted it."""
    change = change_of(request, caller, channel_id, message_id)
    shelf = Shelf.of(resources_of(request))

    async def effect(tx: Transaction) -> Answer:
        return await removal.undelete(tx, change, shelf)

    return await mutate(request, caller.scope, effect, partial(actions.present, change=change))


@router.delete("/purge")
async def purge_message(request: Request, channel_id: str, message_id: str, caller: ChatWriter) -> Response:
    """Erase a message for good, as `DELETE .../messages/{id}?hard=true` does: moderators only."""
    change = change_of(request, caller, channel_id, message_id)

    async def effect(tx: Transaction) -> Answer:
        return await removal.purge(tx, change)

    return await mutate(request, caller.scope, effect, partial(actions.present, change=change))


@router.get("/history")
async def list_history(
    request: Request,
    channel_id: str,
    message_id: str,
    caller: ChatReader,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """The texts that a message had before its edits, oldest first: its author and moderators."""
    channel, message = require_channel_id(channel_id), require_message_id(message_id)
    after = _version(cursor)
    async with reading(resources_of(request).pool) as connection:
        page = await history.list_history(connection, caller, channel, message, after=after, limit=limit)
    return RawJson(data_json(page))


def _version(cursor: str | None) -> int:
    position = decode_cursor(cursor, 1)
    if position is None:
        return 0
    if not is_number(position[0]):
        raise broken_cursor()
    return int(position[0])
