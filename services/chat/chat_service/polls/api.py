"""HTTP in: /api/polls, and the polls of a channel and of a message."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from chat_service.auth.credentials import ChatReader, ChatWriter, MessageSender
from chat_service.auth.principal import Principal
from chat_service.doors import (
    acting_user,
    cause_of,
    mutate,
    require_channel_id,
    require_message_id,
    resources_of,
    utc_now,
)
from chat_service.limits.calls import charge_for
from chat_service.messages import actions as message_actions
from chat_service.messages import rules as message_rules
from chat_service.messages.rules import Send
from chat_service.paging import Cursor, Limit, decode_cursor
from chat_service.polls import actions, rules
from chat_service.polls.actions import NewPoll, Voter
from chat_service.polls.errors import PollExists
from chat_service.screening.gate import LookForAuthor, foresee, passed
from chat_service.wire_input import (
    InputTime,
    InputUserId,
    Line,
    RequestModel,
    SafeText,
    user_id_in_path,
    uuid_in_path,
)
from chatsdk_contracts.ids import ChannelId, MessageId, PollId, UserId
from chatsdk_contracts.wire import data_json, to_wire_precision
from chatsdk_runtime.errors import ServiceError, invalid_field
from chatsdk_runtime.idempotency import Answer, idempotent_call
from chatsdk_runtime.postgres import Connection, Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api", tags=["polls"])

_MOST_OPTIONS = 100
OptionId = Annotated[Line, Field(min_length=1, max_length=64)]


class OptionInput(RequestModel):
    """One answer; without an id it gets a number."""

    id: OptionId | None = None
    text: Annotated[SafeText, Field(min_length=1, max_length=500)]


class MakePoll(RequestModel):
    """A poll for a message that is there already."""

    question: Annotated[SafeText, Field(min_length=1, max_length=1_000)]
    options: Annotated[tuple[OptionInput, ...], Field(min_length=2, max_length=_MOST_OPTIONS)]
    is_anonymous: bool = False
    is_multi_choice: bool = False
    ends_at: InputTime | None = None


class SendPoll(MakePoll):
    """A poll with its message; the text is the question unless it is given."""

    text: Annotated[SafeText, Field(min_length=1, max_length=10_000)] | None = None
    client_msg_id: Annotated[Line, Field(min_length=1, max_length=255)] | None = None
    user_id: InputUserId | None = None


class CastVote(RequestModel):
    """The voter's whole choice; `userId` says for whom an app's server votes."""

    option_ids: Annotated[tuple[OptionId, ...], Field(min_length=1, max_length=_MOST_OPTIONS)]
    user_id: InputUserId | None = None


@router.post("/channels/{channel_id}/messages/{message_id}/polls", status_code=201)
async def attach_poll(
    request: Request, channel_id: str, message_id: str, body: MakePoll, caller: ChatWriter
) -> Response:
    """Attach a poll to a message: its author, once."""
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())
    rules.require_future(body.ends_at, cause.now)
    channel, message = require_channel_id(channel_id), require_message_id(message_id)

    async def look(connection: Connection) -> UserId:
        shown, _ = await message_actions.require_message(connection, caller, channel, message)
        return shown.user_id

    new = await _screened(request, caller, channel, body, look)

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.attach(tx, cause, channel, message, new)), 201)

    return await mutate(request, caller.scope, effect)


@router.post("/channels/{channel_id}/polls", status_code=201)
async def send_poll(request: Request, channel_id: str, body: SendPoll, caller: MessageSender) -> Response:
    """Send a message with a poll (201); the same `clientMsgId` again finds both (200).

    Two transactions: the message takes the road of every send. If the second one fails, the repeat of the call finds
    the message by its client id and attaches the poll.
    """
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())
    wanted, resources = await _send(request, caller, channel_id, body), resources_of(request)
    charge = await charge_for(request, caller, "send", wanted.channel_id)
    await resources.limiter.require_look(charge)
    async with reading(resources.pool) as connection:
        is_repeat = await message_actions.is_repeat(connection, wanted)

    async def look(connection: Connection) -> UserId:
        await foresee(connection, wanted)
        return wanted.user_id

    if not is_repeat:
        charge.require()
        rules.require_future(body.ends_at, cause.now)
    new = await _screened(request, caller, wanted.channel_id, body, look)
    if not is_repeat:
        passed(new)
    sent = await message_actions.send(resources, wanted, charge)
    message = orjson.loads(sent.body)

    async def effect(tx: Transaction) -> Answer:
        try:
            poll = await actions.attach(tx, cause, wanted.channel_id, MessageId(message["id"]), new)
        except PollExists as there:
            return Answer(data_json(there.poll), 200)
        return Answer(data_json(poll), 201)

    return await mutate(request, caller.scope, effect)


@router.get("/polls/{poll_id}")
async def get_poll(request: Request, poll_id: str, caller: ChatReader) -> Response:
    """A poll with its counts and the caller's own choice."""
    async with reading(resources_of(request).pool) as connection:
        poll = await actions.get_poll(connection, caller.app_id, _poll_id(poll_id), caller.user_id)
    return RawJson(data_json(poll))


@router.get("/polls/{poll_id}/results")
async def poll_results(
    request: Request,
    poll_id: str,
    caller: ChatReader,
    option_id: Annotated[
        str | None, Query(alias="optionId", description="Voters of this option only.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """The counts, and who voted for what, by user id; no voters in an anonymous poll."""
    position = decode_cursor(cursor, 1)
    async with reading(resources_of(request).pool) as connection:
        poll = await actions.get_poll(connection, caller.app_id, _poll_id(poll_id), caller.user_id)
        option = None if option_id is None else rules.known_option(poll, option_id)
        after = position[0] if position else ""
        results = await actions.poll_results(connection, poll, option, after=after, limit=limit)
    return RawJson(data_json(results))


@router.post("/polls/{poll_id}/vote")
async def vote(request: Request, poll_id: str, body: CastVote, caller: ChatWriter) -> Response:
    """Set one's whole choice: a first vote or a change; the same again changes nothing."""
    return await _vote(request, poll_id, caller, body.user_id, body.option_ids)


@router.delete("/polls/{poll_id}/vote")
async def withdraw_vote(
    request: Request,
    poll_id: str,
    caller: ChatWriter,
    user_id: Annotated[str | None, Query(alias="userId", description="With an API key: whose vote.")] = None,
) -> Response:
    """Take one's vote back; without a vote nothing changes."""
    return await _vote(request, poll_id, caller, None if user_id is None else _user_id(user_id), ())


@router.post("/polls/{poll_id}/close")
async def close_poll(request: Request, poll_id: str, caller: ChatWriter) -> Response:
    """Take no more votes: the poll's author, moderators and above, the app's servers."""
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.close(tx, cause, _poll_id(poll_id))))

    return await mutate(request, caller.scope, effect)


async def _vote(
    request: Request, poll_id: str, caller: Principal, for_user: UserId | None, option_ids: tuple[str, ...]
) -> Response:
    # Beside an anonymous vote's event of the same moment the request's log line would tell who voted what.
    request.scope["state"].pop("user_id", None)
    voter = Voter(acting_user(caller, for_user), by_server=caller.user_id is None)
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.vote(tx, cause, _poll_id(poll_id), voter, option_ids)))

    return await mutate(request, caller.scope, effect)


async def _send(request: Request, caller: Principal, channel_id: str, body: SendPoll) -> Send:
    channel = require_channel_id(channel_id)
    call = await idempotent_call(request, caller.scope)
    asked = body.model_dump(mode="json", exclude={"client_msg_id", "user_id"}, exclude_defaults=True)
    return Send(
        app_id=caller.app_id,
        channel_id=channel,
        user_id=acting_user(caller, body.user_id),
        client_msg_id=message_rules.client_id_for(body.client_msg_id, call),
        text=body.text or body.question,
        attachments=[],
        custom={},
        parent_id=None,
        reply_to_id=None,
        silent=False,
        # With the poll: the same client id for another one is refused.
        request_hash=message_rules.request_hash({"poll": asked}),
        traceparent=cause_of(request, caller.app_id, caller.user_id, utc_now()).traceparent,
        by_server=caller.user_id is None,
        may_wait=False,
    )


async def _screened(
    request: Request, caller: Principal, channel_id: ChannelId, body: MakePoll, look: LookForAuthor
) -> NewPoll | ServiceError:
    """The poll as it may be written, or why it may not: a value, for the repeat is answered before any refusal."""
    texts = [body.question, *(option.text for option in body.options)]
    try:
        screened = await resources_of(request).screening.screen_poll(caller.app_id, channel_id, texts, look)
    except ServiceError as refusal:
        return refusal
    options = zip(body.options, screened[1:], strict=True)
    return NewPoll(
        question=screened[0],
        options=rules.options_of([(option.id, text) for option, text in options]),
        is_anonymous=body.is_anonymous,
        is_multi_choice=body.is_multi_choice,
        ends_at=None if body.ends_at is None else to_wire_precision(body.ends_at),
    )


def _user_id(text: str) -> UserId:
    user_id = user_id_in_path(text)
    if user_id is None:
        raise invalid_field("userId", "invalid", "no user has such an id")
    return user_id


def _poll_id(text: str) -> PollId | None:
    canonical = uuid_in_path(text)
    return None if canonical is None else PollId(canonical)
