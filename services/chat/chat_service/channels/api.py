"""HTTP in: /api/channels."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from chat_service.auth.credentials import ChannelMaker, ChatReader, ChatWriter, ServerChannelMaker
from chat_service.auth.principal import Principal
from chat_service.channels import actions
from chat_service.channels.requests import CreateChannel, EnsureDirect, EnsureGroup, Truncate, UpdateChannel
from chat_service.doors import cause_of, mutate, resources_of, utc_now
from chat_service.wire_input import channel_id_in_path
from chatsdk_contracts.ids import UserId, WorkspaceId
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
    workspace_id = None if body.workspace_id is None else WorkspaceId(str(body.workspace_id))
    new = actions.NewChannel(
        body.type, creator, creator_path, body.member_ids, fields, workspace_id=workspace_id
    )

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


@router.post("/dm/ensure", status_code=201)
async def ensure_direct(request: Request, body: EnsureDirect, caller: ServerChannelMaker) -> Response:
    """Make the direct channel of two users (201), or find it (200)."""
    fields = {"custom": body.custom}
    new = actions.NewChannel(
        "messaging", body.requester_user_id, "requesterUserId", [body.peer_user_id], fields
    )
    return await _ensure(request, caller, new)


@router.post("/group/ensure", status_code=201)
async def ensure_group(request: Request, body: EnsureGroup, caller: ServerChannelMaker) -> Response:
    """Make the group of this external id (201), or find it as it is now (200)."""
    creator, path = body.member_ids[0], "memberIds[0]"
    if body.created_by_id is not None:
        creator, path = body.created_by_id, "createdById"
    fields = body.model_dump(include={"name", "image", "custom"}, by_alias=False)
    new = actions.NewChannel("group", creator, path, body.member_ids, fields, external_id=body.external_id)
    return await _ensure(request, caller, new)


async def _ensure(request: Request, caller: Principal, new: actions.NewChannel) -> Response:
    cause = cause_of(request, caller.app_id, new.creator, utc_now())

    async def effect(tx: Transaction) -> Answer:
        made = await actions.create_channel(tx, cause, new)
        return Answer(data_json(made.channel), 201 if made.created else 200)

    return await mutate(request, caller.scope, effect)


@router.get("/{channel_id}")
async def get_channel(request: Request, channel_id: str, caller: ChatReader) -> Response:
    """A channel with its first members."""
    wanted = channel_id_in_path(channel_id)
    async with reading(resources_of(request).pool) as connection:
        channel = await actions.get_channel(connection, caller.app_id, wanted, caller.user_id, now=utc_now())
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


@router.post("/{channel_id}/truncate")
async def truncate_channel(request: Request, channel_id: str, body: Truncate, caller: ChatWriter) -> Response:
    """Hide the history up to and including a message: its owners and admins, and the app's servers."""
    wanted = channel_id_in_path(channel_id)
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())

    async def effect(tx: Transaction) -> Answer:
        truncated = await actions.truncate_channel(
            tx, cause, wanted, caller.user_id, up_to_seq=body.before_seq, hard=body.hard
        )
        return Answer(data_json(truncated))

    return await mutate(request, caller.scope, effect)
