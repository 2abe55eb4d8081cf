"""HTTP in: mark as read and as unread, count what is unread, see who has read."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from chat_service.auth.credentials import ChatReader, ReadingUser, WritingUser
from chat_service.auth.principal import Principal
from chat_service.doors import cause_of, mutate, require_channel_id, require_message_id, resources_of, utc_now
from chat_service.paging import Cursor, Limit, decode_cursor
from chat_service.reads import actions, store
from chat_service.wire_input import RequestModel
from chatsdk_contracts.ids import ChannelId, UserId
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/channels", tags=["read state"])

Seq = Annotated[int, Field(ge=1, le=2**62)]


class MarkRead(RequestModel):
    """Up to which message, by id or by seq; neither is everything so far."""

    message_id: str | None = None
    seq: Seq | None = None

    @model_validator(mode="after")
    def _one_at_most(self) -> Self:
        if self.message_id is not None and self.seq is not None:
            raise PydanticCustomError("both", "messageId or seq, not both")
        return self


class MarkUnread(MarkRead):
    """From which message on, by id or by seq."""

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if self.message_id is None and self.seq is None:
            raise PydanticCustomError("neither", "messageId or seq: one is needed")
        return self


@router.get("/unread-count")
async def count_unread(request: Request, caller: ReadingUser) -> Response:
    """Unread messages over all channels of the caller that are neither muted nor hidden."""
    async with reading(resources_of(request).pool) as connection:
        counted = await store.count_unread(connection, caller.app_id, _own_id(caller), utc_now())
    return RawJson(data_json(counted))


@router.post("/{channel_id}/read")
async def mark_read(
    request: Request, channel_id: str, caller: WritingUser, body: MarkRead | None = None
) -> Response:
    """Move the caller's marker up; the others hear of it at most once a second, of the last value always."""
    wanted, user_id = require_channel_id(channel_id), _own_id(caller)
    cause = cause_of(request, caller.app_id, user_id, utc_now())

    async def effect(tx: Transaction) -> Answer:
        seq = await _seq(tx, caller, wanted, body or MarkRead())
        return Answer(data_json(await actions.mark_read(tx, cause, wanted, user_id, seq)))

    return await mutate(request, caller.scope, effect)


@router.post("/{channel_id}/unread")
async def mark_unread(request: Request, channel_id: str, body: MarkUnread, caller: WritingUser) -> Response:
    """Put the caller's marker before a message; the others are not told."""
    wanted, user_id = require_channel_id(channel_id), _own_id(caller)
    cause = cause_of(request, caller.app_id, user_id, utc_now())

    async def effect(tx: Transaction) -> Answer:
        seq = await _seq(tx, caller, wanted, body)
        assert seq is not None, "checked by the body"
        return Answer(data_json(await actions.mark_unread(tx, cause, wanted, user_id, seq)))

    return await mutate(request, caller.scope, effect)


@router.get("/{channel_id}/receipts/read-status")
async def list_readers(
    request: Request,
    channel_id: str,
    caller: ChatReader,
    message_id: Annotated[
        str | None, Query(alias="messageId", description="Only those who have read this message.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """How far each member is known to have read, by user id; with `messageId`, who has read it."""
    wanted = require_channel_id(channel_id)
    message = None if message_id is None else require_message_id(message_id)
    position = decode_cursor(cursor, 1)
    after = position[0] if position else ""
    async with reading(resources_of(request).pool) as connection:
        page = await actions.list_readers(connection, caller, wanted, message, after=after, limit=limit)
    return RawJson(data_json(page))


async def _seq(tx: Transaction, caller: Principal, channel_id: ChannelId, body: MarkRead) -> int | None:
    if body.message_id is None:
        return body.seq
    return await actions.seq_of(tx, caller, channel_id, require_message_id(body.message_id))


def _own_id(caller: Principal) -> UserId:
    assert caller.user_id is not None, "the route is for users"
    return caller.user_id
