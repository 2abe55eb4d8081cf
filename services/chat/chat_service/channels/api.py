"""HTTP in: /api/channels."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from chat_service.auth.credentials import ChannelMaker, ChatReader, ChatWriter
from chat_service.auth.principal import Principal
from chat_service.channels import actions
from chat_service.channels.requests import CreateChannel, UpdateChannel
from chat_service.doors import cause_of, mutate, resources_of, utc_now
from chat_service.paging import Cursor, Limit, time_and_id
from chat_service.wire_input import channel_id_in_path, user_id_in_path
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.errors import Forbidden, invalid_field
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/channels", tags=["channels"])


@router.post("", status_code=201)
async def create_channel(request: Request, body: CreateChannel, caller: ChannelMaker) -> Response:
    """Make a channel (201), or find the direct channel of two users (200)."""
    creator, creator_path = _creator(caller, body.created_by_id)
    cause = cause_of(request, caller.app_id, creator, utc_now())
    fields = body.model_dump(exclude_unset=True, by_alias=False)
    new = actions.NewChannel(body.type, creator, creator_path, body.member_ids, fields)

    async def effect(tx: Transaction) -> Answer:
        made = await actions.create_channel(tx, cause, new)
        return Answer(data_json(made.channel), 201 if made.created else 200)

    return await mutate(request, caller.scope, effect)


def _creator(caller: Principal, created_by_id: UserId | None) -> tuple[UserId, str]:
    """Who makes the channel, and where the request says so."""
    if caller.user_id is not None:
        if created_by_id not in {None, caller.user_id}:
            raise Forbidden(
                "A user makes channels in their own name.", hint="Leave createdById out, or use the API key."
            )
        return caller.user_id, "createdById"
    if created_by_id is None:
        raise invalid_field("createdById", "missing", "required with an API key")
    return created_by_id, "createdById"


@router.get("")
async def list_channels(
    request: Request,
    caller: ChatReader,
    cursor: Cursor = None,
    limit: Limit = 50,
    userId: str | None = None,  # noqa: N803  # the name in the query
) -> Response:
    """The caller's channels, newest activity first; for a server all of the app's, or those of `userId`."""
    user_id = caller.user_id
    if user_id is None and userId is not None:
        user_id = user_id_in_path(userId)
        if user_id is None:
            raise invalid_field("userId", "invalid", "no user has such an id")
    elif userId not in {None, user_id}:
        raise Forbidden("A user lists their own channels.", hint="Leave userId out, or use the API key.")
    before = time_and_id(cursor)
    async with reading(resources_of(request).pool) as connection:
        page = await actions.list_channels(connection, caller.app_id, user_id, before=before, limit=limit)
    return RawJson(data_json(page))


@router.get("/{channel_id}")
async def get_channel(request: Request, channel_id: str, caller: ChatReader) -> Response:
    """A channel with its first members."""
    wanted = channel_id_in_path(channel_id)
    async with reading(resources_of(request).pool) as connection:
        channel = await actions.get_channel(connection, caller.app_id, wanted, caller.user_id)
    return RawJson(data_json(channel))


@router.patch("/{channel_id}")
async def update_channel(
    request: Request, channel_id: str, body: UpdateChannel, caller: ChatWriter
) -> Response:
    """Change a channel's own fields: its owners and admins, and the app's servers."""
    wanted = channel_id_in_path(channel_id)
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())
    given = body.model_dump(exclude_unset=True, by_alias=False)

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.update_channel(tx, cause, wanted, caller.user_id, given)))

    return await mutate(request, caller.scope, effect)


@router.delete("/{channel_id}")
async def delete_channel(request: Request, channel_id: str, caller: ChatWriter) -> Response:
    """Delete a channel: its owners, and the app's servers."""
    wanted = channel_id_in_path(channel_id)
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.delete_channel(tx, cause, wanted, caller.user_id)))

    return await mutate(request, caller.scope, effect)
