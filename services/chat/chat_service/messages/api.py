"""HTTP doors of messages. Send is the hot path: it parses once, answers with bytes that exist already."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from chat_service.auth.credentials import ChatReader, ChatWriter, MessageSender
from chat_service.doors import (
    cause_of,
    mutate,
    require_channel_id,
    require_message_id,
    resources_of,
    utc_now,
)
from chat_service.limits.calls import charge_for
from chat_service.messages import actions, editing, removal
from chat_service.messages.actions import Page
from chat_service.messages.requests import EditMessage, SendMessage, change_of, edit_of, send_of
from chat_service.messages.shelf import Shelf
from chat_service.paging import is_number
from chat_service.screening.gate import passed
from chatsdk_runtime.errors import BadRequest, invalid_field
from chatsdk_runtime.idempotency import Answer, idempotent_call
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/channels/{channel_id}/messages", tags=["messages"])


@router.post("", status_code=201)
async def send_message(
    request: Request, channel_id: str, body: SendMessage, caller: MessageSender
) -> Response:
    """Store a message; 201 the first time, 200 with `duplicate: true` for the same `clientMsgId` again."""
    call = None
    if "idempotency-key" in request.headers:
        call = await idempotent_call(request, caller.scope)
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())
    wanted = send_of(body, caller, require_channel_id(channel_id), cause, call)
    charge = await charge_for(request, caller, "send", wanted.channel_id)
    answer = await actions.send(resources_of(request), wanted, charge)
    headers = {"Idempotent-Replayed": "true"} if answer.replayed else None
    return RawJson(answer.body, answer.status_code, headers)


@router.get("")
async def list_messages(
    request: Request,
    channel_id: str,
    caller: ChatReader,
    since_seq: Annotated[int | None, Query(ge=0, le=2**62, description="Messages behind this seq.")] = None,
    before: Annotated[str | None, Query(description="Id of a message: those before it.")] = None,
    after: Annotated[str | None, Query(description="Id of a message: those behind it.")] = None,
    cursor: Annotated[str | None, Query(description="`nextCursor` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> Response:
    """A page of the timeline, ascending; without a place, its end."""
    channel = require_channel_id(channel_id)
    given = [name for name in (since_seq, before, after, cursor) if name is not None]
    if len(given) > 1:
        raise BadRequest("Give one of since_seq, before, after and cursor.")
    async with reading(resources_of(request).pool) as connection:
        page = Page(since_seq, None, limit)
        if cursor is not None:
            page = _page_of(cursor, limit)
        elif after is not None or before is not None:
            # The caller's right to read comes first: a message's place is told to members only.
            await actions.require_readable(connection, caller, channel)
            message_id = require_message_id(after or before or "")
            beside = (message_id, after is not None)
            page = await actions.page_beside(connection, caller, channel, beside, limit)
        return _answered(await actions.list_messages(connection, caller, channel, page))


@router.get("/{message_id}")
async def get_message(request: Request, channel_id: str, message_id: str, caller: ChatReader) -> Response:
    """One message, or its tombstone."""
    async with reading(resources_of(request).pool) as connection:
        return _answered(
            await actions.get_message(
                connection, caller, require_channel_id(channel_id), require_message_id(message_id)
            )
        )


@router.patch("/{message_id}")
async def edit_message(
    request: Request, channel_id: str, message_id: str, body: EditMessage, caller: ChatWriter
) -> Response:
    """Write a new text; with a base version that is not the present one 409 and the current message."""
    base_version = body.base_version if body.base_version is not None else _if_match(request)
    change = change_of(request, caller, channel_id, message_id, base_version)
    screened = await editing.screen_edit(resources_of(request), change, edit_of(body, change.cause.now))

    async def effect(tx: Transaction) -> Answer:
        return await editing.edit(tx, change, passed(screened))

    return await mutate(request, caller.scope, effect, partial(actions.present, change=change))


@router.delete("/{message_id}")
async def delete_message(
    request: Request,
    channel_id: str,
    message_id: str,
    caller: ChatWriter,
    base_version: Annotated[int | None, Query(alias="baseVersion", ge=1)] = None,
    *,
    hard: Annotated[bool, Query(description="Purge it: nothing of it can be restored.")] = False,
) -> Response:
    """Leave a tombstone, which is the answer."""
    base = base_version if base_version is not None else _if_match(request)
    change = change_of(request, caller, channel_id, message_id, base)

    shelf = Shelf.of(resources_of(request))

    async def effect(tx: Transaction) -> Answer:
        return await (removal.purge(tx, change) if hard else removal.delete(tx, change, shelf))

    return await mutate(request, caller.scope, effect, partial(actions.present, change=change))


def _answered(answer: Answer) -> Response:
    return RawJson(answer.body, answer.status_code)


def _page_of(cursor: str, limit: int) -> Page:
    direction, _, seq = cursor.partition(":")
    if direction not in {"after", "before"} or not is_number(seq):
        raise BadRequest("The cursor is not one of this list.", hint="Pass nextCursor back as it came.")
    return Page(int(seq), None, limit) if direction == "after" else Page(None, int(seq), limit)


def _if_match(request: Request) -> int | None:
    tag = request.headers.get("if-match")
    if tag is None or tag.strip() == "*":
        return None
    version = tag.strip().strip('"')
    if not is_number(version):
        raise invalid_field("If-Match", "invalid_version", 'must be the message\'s version, e.g. "3"')
    return int(version)
