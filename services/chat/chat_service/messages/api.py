"""HTTP doors of messages. Send is the hot path: it parses once, answers with bytes that exist already."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, model_validator

from chat_service.auth.credentials import CurrentCaller
from chat_service.auth.principal import Principal
from chat_service.doors import cause_of, mutate, resources_of, utc_now
from chat_service.errors import ChannelNotFound, MessageNotFound
from chat_service.messages import actions, rules
from chat_service.messages.actions import Change, Page
from chat_service.messages.rules import Send
from chat_service.wire_input import (
    CustomObject,
    InputUserId,
    Line,
    Reference,
    RequestModel,
    SafeText,
    channel_id_in_path,
    uuid_in_path,
)
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, UserId
from chatsdk_contracts.messages import Attachment
from chatsdk_runtime.errors import BadRequest, invalid_field
from chatsdk_runtime.idempotency import Answer, idempotent_call
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/channels/{channel_id}/messages", tags=["messages"])

_LONGEST_TEXT = 10_000
_MOST_ATTACHMENTS = 30

Text = Annotated[SafeText, Field(max_length=_LONGEST_TEXT)]


class AttachmentInput(RequestModel):
    """Something sent with a message. Sizes in bytes, duration in milliseconds."""

    type: Annotated[Line, Field(min_length=1, max_length=32)]
    url: Annotated[Line, Field(min_length=1, max_length=2_048)]
    name: Annotated[SafeText, Field(max_length=255)] | None = None
    title: Annotated[SafeText, Field(max_length=255)] | None = None
    mime_type: Annotated[Line, Field(max_length=255)] | None = None
    size: Annotated[int, Field(ge=0)] | None = None
    width: Annotated[int, Field(ge=0)] | None = None
    height: Annotated[int, Field(ge=0)] | None = None
    duration_ms: Annotated[int, Field(ge=0)] | None = None
    waveform: Annotated[list[float], Field(max_length=512)] | None = None
    thumbnail_url: Annotated[Line, Field(max_length=2_048)] | None = None
    blurhash: Annotated[Line, Field(max_length=255)] | None = None
    upload_id: Reference | None = None
    custom: CustomObject = Field(default_factory=dict)


class SendMessage(RequestModel):
    """A message to be sent: text, attachments, or both."""

    text: Text = ""
    attachments: Annotated[list[AttachmentInput], Field(max_length=_MOST_ATTACHMENTS)] = Field(
        default_factory=list
    )
    client_msg_id: Annotated[Line, Field(min_length=1, max_length=255)] | None = None
    parent_id: str | None = None
    reply_to_id: str | None = None
    silent: bool = False
    custom: CustomObject = Field(default_factory=dict)
    user_id: InputUserId | None = None

    @model_validator(mode="after")
    def _says_something(self) -> SendMessage:
        if not self.text and not self.attachments:
            message = "text or attachments: at least one is needed"
            raise ValueError(message)
        return self


class EditMessage(RequestModel):
    """A new text for a message, and the version that it was made from."""

    text: Text
    base_version: Annotated[int, Field(ge=1)] | None = None


@router.post("", status_code=201)
async def send_message(
    request: Request, channel_id: str, body: SendMessage, caller: CurrentCaller
) -> Response:
    """Store a message; 201 the first time, 200 with `duplicate: true` for the same `clientMsgId` again."""
    call = None
    if "idempotency-key" in request.headers:
        call = await idempotent_call(request, caller.scope)
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())
    asked: dict[str, Any] = body.model_dump(
        mode="json", exclude={"client_msg_id", "user_id"}, exclude_defaults=True
    )
    wanted = Send(
        app_id=caller.app_id,
        channel_id=_channel_id(channel_id),
        user_id=_author(caller, body.user_id),
        client_msg_id=rules.client_id_for(body.client_msg_id, call),
        text=body.text,
        attachments=[Attachment(**one.model_dump()) for one in body.attachments],
        custom=body.custom,
        parent_id=_message_reference(body.parent_id, "parentId"),
        reply_to_id=_message_reference(body.reply_to_id, "replyToId"),
        silent=body.silent,
        request_hash=rules.request_hash(asked),
        traceparent=cause.traceparent,
        by_server=caller.user_id is None,
        idempotency=call,
    )
    answer = await actions.send(resources_of(request), wanted)
    headers = {"Idempotent-Replayed": "true"} if answer.replayed else None
    return RawJson(answer.body, answer.status_code, headers)


@router.get("")
async def list_messages(
    request: Request,
    channel_id: str,
    caller: CurrentCaller,
    since_seq: Annotated[int | None, Query(ge=0, le=2**62, description="Messages behind this seq.")] = None,
    before: Annotated[str | None, Query(description="Id of a message: those before it.")] = None,
    after: Annotated[str | None, Query(description="Id of a message: those behind it.")] = None,
    cursor: Annotated[str | None, Query(description="`nextCursor` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> Response:
    """A page of the timeline, ascending; without a place, its end."""
    channel = _channel_id(channel_id)
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
            message_id = _message_id(after or before or "")
            seq = await actions.seq_of(connection, channel, message_id)
            page = Page(seq, None, limit) if after is not None else Page(None, seq, limit)
        return _answered(await actions.list_messages(connection, caller, channel, page))


@router.get("/{message_id}")
async def get_message(request: Request, channel_id: str, message_id: str, caller: CurrentCaller) -> Response:
    """One message, or its tombstone."""
    async with reading(resources_of(request).pool) as connection:
        return _answered(
            await actions.get_message(connection, caller, _channel_id(channel_id), _message_id(message_id))
        )


@router.patch("/{message_id}")
async def edit_message(
    request: Request, channel_id: str, message_id: str, body: EditMessage, caller: CurrentCaller
) -> Response:
    """Write a new text; with a base version that is not the present one 409 and the current message."""
    base_version = body.base_version if body.base_version is not None else _if_match(request)
    change = _change(request, caller, channel_id, message_id, base_version)

    async def effect(tx: Transaction) -> Answer:
        return await actions.edit(tx, change, body.text)

    return await mutate(request, caller.scope, effect)


@router.delete("/{message_id}")
async def delete_message(
    request: Request,
    channel_id: str,
    message_id: str,
    caller: CurrentCaller,
    base_version: Annotated[int | None, Query(alias="baseVersion", ge=1)] = None,
) -> Response:
    """Leave a tombstone, which is the answer."""
    base = base_version if base_version is not None else _if_match(request)
    change = _change(request, caller, channel_id, message_id, base)

    async def effect(tx: Transaction) -> Answer:
        return await actions.delete(tx, change)

    return await mutate(request, caller.scope, effect)


def _change(
    request: Request, caller: Principal, channel_id: str, message_id: str, base_version: int | None
) -> Change:
    cause = cause_of(request, AppId(caller.app_id), caller.user_id, utc_now())
    return Change(caller, _channel_id(channel_id), _message_id(message_id), base_version, cause)


def _answered(answer: Answer) -> Response:
    return RawJson(answer.body, answer.status_code)


def _author(caller: Principal, given: UserId | None) -> UserId:
    if caller.user_id is None:
        if given is None:
            raise invalid_field("userId", "missing", "required with an API key: who sends?")
        return given
    if given is not None and given != caller.user_id:
        raise invalid_field("userId", "not_yours", "a user sends as itself; leave userId out")
    return caller.user_id


def _channel_id(text: str) -> ChannelId:
    channel_id = channel_id_in_path(text)
    if channel_id is None:
        raise ChannelNotFound
    return channel_id


def _message_id(text: str) -> MessageId:
    canonical = uuid_in_path(text)
    if canonical is None:
        raise MessageNotFound
    return MessageId(canonical)


def _message_reference(text: str | None, path: str) -> MessageId | None:
    if text is None:
        return None
    canonical = uuid_in_path(text)
    if canonical is None:
        raise invalid_field(path, "invalid_id", "is not a message id (a UUID)")
    return MessageId(canonical)


def _page_of(cursor: str, limit: int) -> Page:
    direction, _, seq = cursor.partition(":")
    if direction not in {"after", "before"} or not seq.isdigit() or len(seq) > 18:
        raise BadRequest("The cursor is not one of this list.", hint="Pass nextCursor back as it came.")
    return Page(int(seq), None, limit) if direction == "after" else Page(None, int(seq), limit)


def _if_match(request: Request) -> int | None:
    tag = request.headers.get("if-match")
    if tag is None or tag.strip() == "*":
        return None
    version = tag.strip().strip('"')
    if not version.isdigit() or len(version) > 18:
        raise invalid_field("If-Match", "invalid_version", 'must be the message\'s version, e.g. "3"')
    return int(version)
