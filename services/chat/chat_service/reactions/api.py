"""HTTP in: /api/channels/{id}/messages/{id}/reactions."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from chat_service.auth.credentials import ChatReader, ReactionWriter
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
from chat_service.errors import ReactionNotFound
from chat_service.paging import Cursor, Limit, decode_cursor, time_in_cursor
from chat_service.reactions import actions, rules, store
from chat_service.reactions.rules import Reacting
from chat_service.wire_input import (
    InputUserId,
    Line,
    RequestModel,
    user_id_in_path,
)
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.errors import invalid_field
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/channels/{channel_id}/messages/{message_id}/reactions", tags=["reactions"])

ReactionType = Annotated[Line, Field(min_length=1, max_length=rules.LONGEST_TYPE)]


class AddReaction(RequestModel):
    """How to react: an emoji or `:name:`, as `type` or under its older name `emoji`."""

    type: ReactionType | None = None
    emoji: ReactionType | None = None
    user_id: InputUserId | None = None

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if (self.type is None) == (self.emoji is None):
            raise PydanticCustomError("one_of", "give either type or emoji")
        return self


@router.post("", status_code=201)
async def add_reaction(
    request: Request, channel_id: str, message_id: str, body: AddReaction, caller: ReactionWriter
) -> Response:
    """React to a message: 201, or 200 when the user has reacted so already."""
    path = "type" if body.type is not None else "emoji"
    reaction_type = actions.require_type(body.type or body.emoji or "", path)
    user_id = acting_user(caller, body.user_id)
    wanted = _wanted(request, caller, (channel_id, message_id), user_id, reaction_type, "add")
    return await _change(request, caller, wanted)


@router.delete("/{reaction_type}")
async def remove_reaction(
    request: Request,
    channel_id: str,
    message_id: str,
    reaction_type: str,
    caller: ReactionWriter,
    user_id: Annotated[
        str | None, Query(alias="userId", description="Whose; needed with an API key.")
    ] = None,
) -> Response:
    """Take a reaction back."""
    canonical = rules.canonical_type(reaction_type)
    if canonical is None:
        raise ReactionNotFound
    whose = acting_user(caller, _given_user(user_id))
    wanted = _wanted(request, caller, (channel_id, message_id), whose, canonical, "remove")
    return await _change(request, caller, wanted)


@router.get("")
async def list_reactions(
    request: Request,
    channel_id: str,
    message_id: str,
    caller: ChatReader,
    only: Annotated[str | None, Query(alias="type", description="Only reactions of this type.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Who reacted to a message and how, by type, then time."""
    message = require_channel_id(channel_id), require_message_id(message_id)
    wanted = None if only is None else actions.require_type(only, "type")
    after = _position(cursor)
    async with reading(resources_of(request).pool) as connection:
        page = await actions.list_reactions(
            connection, caller, message, only=wanted, after=after, limit=limit
        )
    return RawJson(data_json(page))


async def _change(request: Request, caller: Principal, wanted: Reacting) -> Response:
    resources = resources_of(request)
    if "idempotency-key" not in request.headers:
        answer = actions.answer_of(wanted, await resources.writer.react(wanted))
        return RawJson(answer.body, answer.status_code)

    now = utc_now()

    # The answer is kept in the transaction of its effect, and that of a batch belongs to others too.
    async def effect(tx: Transaction) -> Answer:
        return await actions.react(tx, wanted, epoch=resources.epoch, now=now)

    return await mutate(request, caller.scope, effect)


def _wanted(
    request: Request,
    caller: Principal,
    message: tuple[str, str],
    user_id: UserId,
    reaction_type: str,
    change: Literal["add", "remove"],
) -> Reacting:
    return Reacting(
        app_id=caller.app_id,
        channel_id=require_channel_id(message[0]),
        message_id=require_message_id(message[1]),
        user_id=user_id,
        type=reaction_type,
        change=change,
        traceparent=cause_of(request, caller.app_id, user_id, utc_now()).traceparent,
        by_server=caller.user_id is None,
    )


def _given_user(text: str | None) -> UserId | None:
    if text is None:
        return None
    user_id = user_id_in_path(text)
    if user_id is None:
        raise invalid_field("userId", "invalid", "no user has such an id")
    return user_id


def _position(cursor: str | None) -> store.Position | None:
    position = decode_cursor(cursor, 3)
    if position is None:
        return None
    return position[0], time_in_cursor(position[1]), UserId(position[2])
