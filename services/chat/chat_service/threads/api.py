"""HTTP in: one thread, its participants, following it, reading it, and the list of one's threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from chat_service.auth.credentials import ChatReader, MessageSender, ReadingUser, WritingUser
from chat_service.auth.principal import Principal
from chat_service.doors import cause_of, mutate, require_channel_id, require_message_id, resources_of, utc_now
from chat_service.errors import MessageNotFound
from chat_service.limits.calls import charge_for
from chat_service.messages.actions import send
from chat_service.messages.requests import SendMessage, send_of
from chat_service.paging import (
    Cursor,
    Limit,
    broken_cursor,
    decode_cursor,
    is_number,
    time_and_id,
    time_in_query,
)
from chat_service.threads import actions, list_store
from chat_service.threads.actions import Part, Where
from chat_service.wire_input import RequestModel, uuid_in_path
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.errors import BadRequest, InvalidInput, invalid_field
from chatsdk_runtime.idempotency import Answer, idempotent_call
from chatsdk_runtime.postgres import Connection, Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(tags=["threads"])

_THREAD = "/api/channels/{channel_id}/messages/{message_id}/thread"


class MarkThreadRead(RequestModel):
    """Up to which reply, by id or by its place in the thread; neither is everything so far."""

    message_id: str | None = None
    thread_seq: Annotated[int, Field(ge=1, le=2**62)] | None = None

    @model_validator(mode="after")
    def _one_at_most(self) -> Self:
        if self.message_id is not None and self.thread_seq is not None:
            raise PydanticCustomError("both", "messageId or threadSeq, not both")
        return self


@dataclass(frozen=True, slots=True)
class Asked:
    """Where a page is to be, as it comes in the query: one of these; none is the thread's end."""

    since_seq: Annotated[int | None, Query(ge=0, le=2**62, description="Replies behind this threadSeq.")] = (
        None
    )
    before: Annotated[
        str | None, Query(max_length=64, description="Id of a reply, or a time: the replies before it.")
    ] = None
    after: Annotated[str | None, Query(max_length=64, description="Id of a reply: those behind it.")] = None
    cursor: Cursor = None

    async def part(self, connection: Connection, where: Where, limit: int) -> Part:
        """The part of the thread that is meant.

        Raises:
            BadRequest: more than one place is given, or a cursor of another list.
            MessageNotFound, InvalidInput: the place is none in this thread.
        """
        places = (self.since_seq, self.before, self.after, self.cursor)
        if sum(one is not None for one in places) > 1:
            raise BadRequest("Give one of since_seq, before, after and cursor.")
        if self.cursor is not None:
            return _part_of(self.cursor, limit)
        if self.before is not None and uuid_in_path(self.before) is None:
            return Part(limit, before_time=time_in_query("before", self.before))
        reply_id = self.after or self.before
        if reply_id is None:
            return Part(limit, after_seq=self.since_seq)
        seq = await actions.seq_of(connection, where, require_message_id(reply_id))
        return Part(limit, after_seq=seq) if self.after is not None else Part(limit, before_seq=seq)


@router.get(_THREAD)
async def read_thread(
    request: Request,
    channel_id: str,
    message_id: str,
    caller: ChatReader,
    asked: Annotated[Asked, Depends()],
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """A message and a page of the replies to it, ascending; without a place, the latest."""
    where = _where(caller, channel_id, message_id)
    async with reading(resources_of(request).pool) as connection:
        part = await asked.part(connection, where, limit)
        answer = await actions.read_thread(connection, where, part)
    return RawJson(answer.body, answer.status_code)


@router.post(_THREAD, status_code=201)
async def reply(
    request: Request, channel_id: str, message_id: str, body: SendMessage, caller: MessageSender
) -> Response:
    """Reply to a message: a send with this `parentId`, through the same writer, with the same repeats."""
    where = _where(caller, channel_id, message_id)
    if body.parent_id is not None and uuid_in_path(body.parent_id) != where.parent_id:
        raise invalid_field("parentId", "other_thread", "is not the message in the path; leave it out")
    call = None
    if "idempotency-key" in request.headers:
        call = await idempotent_call(request, caller.scope)
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())
    whole = body.model_copy(update={"parent_id": where.parent_id})
    wanted = send_of(whole, caller, where.channel_id, cause, call)
    charge = await charge_for(request, caller, "send", wanted.channel_id)
    try:
        answer = await send(resources_of(request), wanted, charge)
    except InvalidInput as refusal:
        # What is a field of a send stands in the path here.
        if any((one.path, one.code) == ("parentId", "not_found") for one in refusal.details):
            raise MessageNotFound from None
        raise
    headers = {"Idempotent-Replayed": "true"} if answer.replayed else None
    return RawJson(answer.body, answer.status_code, headers)


@router.get(f"{_THREAD}/participants")
async def list_participants(
    request: Request,
    channel_id: str,
    message_id: str,
    caller: ChatReader,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Who replied and how often, the latest first."""
    where = _where(caller, channel_id, message_id)
    position = decode_cursor(cursor, 1)
    before = None if position is None else _place(position[0])
    async with reading(resources_of(request).pool) as connection:
        page = await actions.list_participants(connection, where, before=before, limit=limit)
    return RawJson(data_json(page))


@router.post(f"{_THREAD}/follow")
async def follow(request: Request, channel_id: str, message_id: str, caller: WritingUser) -> Response:
    """Have the thread among one's own; what was said so far is not unread."""
    return await _follow(request, _where(caller, channel_id, message_id), followed=True)


@router.delete(f"{_THREAD}/follow")
async def unfollow(request: Request, channel_id: str, message_id: str, caller: WritingUser) -> Response:
    """Have it there no longer, also when one replies or is mentioned."""
    return await _follow(request, _where(caller, channel_id, message_id), followed=False)


@router.post(f"{_THREAD}/read")
async def mark_read(
    request: Request,
    channel_id: str,
    message_id: str,
    caller: WritingUser,
    body: MarkThreadRead | None = None,
) -> Response:
    """Move the caller's marker in the thread up; the others are not told, one's other devices are."""
    where, wanted = _where(caller, channel_id, message_id), body or MarkThreadRead()
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())

    async def effect(tx: Transaction) -> Answer:
        thread_seq = wanted.thread_seq
        if wanted.message_id is not None:
            thread_seq = await actions.seq_of(tx, where, require_message_id(wanted.message_id))
        return Answer(data_json(await actions.mark_read(tx, cause, where, thread_seq)))

    return await mutate(request, caller.scope, effect)


@router.get("/api/threads")
async def list_threads(
    request: Request,
    caller: ReadingUser,
    cursor: Cursor = None,
    limit: Limit = 25,
    *,
    unread: Annotated[bool, Query(description="Only those with something unread.")] = False,
) -> Response:
    """The threads that one follows, the latest reply first."""
    before = time_and_id(cursor)
    async with reading(resources_of(request).pool) as connection:
        answer = await actions.list_threads(connection, caller, unread=unread, before=before, limit=limit)
    return RawJson(answer.body, answer.status_code)


@router.get("/api/threads/unread-count")
async def count_unread(request: Request, caller: ReadingUser) -> Response:
    """Threads with something unread, in channels that are neither muted nor hidden."""
    async with reading(resources_of(request).pool) as connection:
        counted = await list_store.count_unread(connection, caller.app_id, actions.own_id(caller), utc_now())
    return RawJson(data_json(counted))


async def _follow(request: Request, where: Where, *, followed: bool) -> Response:
    cause = cause_of(request, where.caller.app_id, where.caller.user_id, utc_now())

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.follow(tx, cause, where, followed=followed)))

    return await mutate(request, where.caller.scope, effect)


def _where(caller: Principal, channel_id: str, message_id: str) -> Where:
    return Where(caller, require_channel_id(channel_id), require_message_id(message_id))


def _part_of(cursor: str, limit: int) -> Part:
    direction, _, seq = cursor.partition(":")
    if direction not in {"after", "before"}:
        raise broken_cursor()
    return Part(limit, after_seq=_place(seq)) if direction == "after" else Part(limit, before_seq=_place(seq))


def _place(text: str) -> int:
    if not is_number(text):
        raise broken_cursor()
    return int(text)
