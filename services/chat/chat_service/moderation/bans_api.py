"""HTTP in: bans, by the app's servers anywhere and by moderators in their channels."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from chat_service.auth.credentials import Moderator, ReadingUser, WritingUser
from chat_service.auth.principal import Principal
from chat_service.doors import cause_of, mutate, require_channel_id, resources_of, utc_now
from chat_service.errors import UserNotFound
from chat_service.moderation import banning
from chat_service.moderation.ban_store import Scope
from chat_service.moderation.requests import BanAnywhere, BanUser
from chat_service.paging import Cursor, Limit, id_in_cursor
from chat_service.wire_input import user_id_in_path
from chatsdk_contracts.ids import ChannelId, UserId
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(tags=["moderation"])

_ChannelQuery = Annotated[
    str | None, Query(alias="channelId", max_length=255, description="Of this channel; else of the app.")
]
_UserQuery = Annotated[str | None, Query(alias="userId", max_length=255, description="Of this user only.")]


@router.post("/api/moderation/bans", status_code=201)
async def ban_user(request: Request, body: BanAnywhere, caller: Moderator) -> Response:
    """Ban a user from the whole app, or from a channel; who is banned there already is so on these terms."""
    channel = None if body.channel_id is None else ChannelId(body.channel_id)
    return await _ban(request, caller, channel, body)


@router.get("/api/moderation/bans")
async def list_bans(
    request: Request,
    caller: Moderator,
    channel_id: _ChannelQuery = None,
    user_id: _UserQuery = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """The bans that hold, the newest first."""
    channel = None if channel_id is None else require_channel_id(channel_id)
    user = None if user_id is None else _user(user_id)
    before = id_in_cursor(cursor)
    async with reading(resources_of(request).pool) as connection:
        page = await banning.list_bans(connection, caller.app_id, channel, user, before=before, limit=limit)
    return RawJson(data_json(page))


# A user id may hold a slash.
@router.delete("/api/moderation/bans/{user_id:path}")
async def unban_user(
    request: Request, user_id: str, caller: Moderator, channel_id: _ChannelQuery = None
) -> Response:
    """Lift a ban from the app, or from a channel."""
    channel = None if channel_id is None else require_channel_id(channel_id)
    return await _unban(request, caller, channel, _user(user_id))


@router.post("/api/channels/{channel_id}/bans", status_code=201)
async def ban_member(request: Request, channel_id: str, body: BanUser, caller: WritingUser) -> Response:
    """Ban somebody of a lower role, or who is not in the channel, from it."""
    return await _ban(request, caller, require_channel_id(channel_id), body)


@router.get("/api/channels/{channel_id}/bans")
async def list_banned_members(
    request: Request, channel_id: str, caller: ReadingUser, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """The channel's bans that hold, for its moderators, the newest first."""
    before = id_in_cursor(cursor)
    assert caller.user_id is not None, "ReadingUser is a user"
    async with reading(resources_of(request).pool) as connection:
        channel = await banning.require_moderator(
            connection, caller.app_id, require_channel_id(channel_id), caller.user_id
        )
        page = await banning.list_bans(connection, caller.app_id, channel, None, before=before, limit=limit)
    return RawJson(data_json(page))


@router.delete("/api/channels/{channel_id}/bans/{user_id:path}")
async def unban_member(request: Request, channel_id: str, user_id: str, caller: WritingUser) -> Response:
    """Lift a ban from the channel."""
    return await _unban(request, caller, require_channel_id(channel_id), _user(user_id))


async def _ban(request: Request, caller: Principal, channel: ChannelId | None, body: BanUser) -> Response:
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())
    scope = Scope(caller.app_id, body.user_id, channel)

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await banning.ban(tx, cause, scope, body.terms)), 201)

    return await mutate(request, caller.scope, effect)


async def _unban(request: Request, caller: Principal, channel: ChannelId | None, user_id: UserId) -> Response:
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())
    scope = Scope(caller.app_id, user_id, channel)

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await banning.unban(tx, cause, scope)))

    return await mutate(request, caller.scope, effect)


def _user(text: str) -> UserId:
    user_id = user_id_in_path(text)
    if user_id is None:
        raise UserNotFound(text)
    return user_id
