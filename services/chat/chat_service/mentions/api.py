"""HTTP in: one's inbox of mentions, and whom one may mention."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from chat_service.auth.credentials import ChatReader, ReadingUser, WritingUser
from chat_service.doors import mutate, require_channel_id, resources_of, utc_now
from chat_service.mentions import actions
from chat_service.paging import Cursor, Limit, time_and_id, time_in_query
from chat_service.wire_input import Reference, RequestModel
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.errors import BadRequest, invalid_field
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/mentions", tags=["mentions"])


class MarkMentionsRead(RequestModel):
    """Which mentions; without any, all that are unread."""

    mention_ids: Annotated[tuple[Reference, ...], Field(min_length=1, max_length=100)] | None = None


@router.get("")
async def list_mentions(
    request: Request,
    caller: ReadingUser,
    before: Annotated[str | None, Query(max_length=64, description="A time: mentions before it.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
    *,
    unread: Annotated[bool, Query(description="Only those that are not read.")] = False,
) -> Response:
    """Where one is mentioned, by name or with the whole channel, the newest first."""
    if before is not None and cursor is not None:
        raise BadRequest("Give one of before and cursor.")
    position = time_and_id(cursor) if before is None else (time_in_query("before", before), None)
    async with reading(resources_of(request).pool) as connection:
        answer = await actions.list_mentions(connection, caller, unread=unread, before=position, limit=limit)
    return RawJson(answer.body, answer.status_code)


@router.get("/unread-count")
async def count_unread(request: Request, caller: ReadingUser) -> Response:
    """How many of them are unread; of whole channels only where they are neither muted nor hidden."""
    async with reading(resources_of(request).pool) as connection:
        counted = await actions.count_unread(connection, caller, utc_now())
    return RawJson(data_json(counted))


@router.post("/read")
async def mark_read(request: Request, caller: WritingUser, body: MarkMentionsRead | None = None) -> Response:
    """Mark some mentions, or all, as read; reading the channel or thread does so as well."""
    wanted, now = (body or MarkMentionsRead()).mention_ids, utc_now()

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.mark_read(tx, caller, wanted, now)))

    return await mutate(request, caller.scope, effect)


@router.get("/search")
async def find_mentionable(
    request: Request,
    caller: ChatReader,
    channel_id: Annotated[str, Query(alias="channelId")],
    q: Annotated[str, Query(max_length=255, description="How an id, or a word of a name, begins.")] = "",
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> Response:
    """Members of a channel to be mentioned, and the groups that one may call there."""
    channel, prefix = require_channel_id(channel_id), _prefix(q)
    async with reading(resources_of(request).pool) as connection:
        found = await actions.find_mentionable(connection, caller, channel, prefix, limit=limit)
    return RawJson(data_json(found))


def _prefix(text: str) -> str:
    """What was typed so far, with or without the at sign."""
    if "\0" in text:
        raise invalid_field("q", "invalid_text", "must not contain NUL")
    return text.strip().removeprefix("@")
