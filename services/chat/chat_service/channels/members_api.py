"""HTTP in: /api/channels/{id}/members, join and leave."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from chat_service.auth.credentials import ChatReader, ChatWriter, WritingUser
from chat_service.auth.principal import Principal
from chat_service.channels import membership
from chat_service.channels.requests import AddMembers, ChangeRole
from chat_service.doors import cause_of, mutate, resources_of, utc_now
from chat_service.errors import MemberNotFound
from chat_service.paging import Cursor, Limit, decode_cursor
from chat_service.wire_input import channel_id_in_path, user_id_in_path
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/channels/{channel_id}", tags=["members"])


@router.get("/members")
async def list_members(
    request: Request, channel_id: str, caller: ChatReader, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """The channel's members by user id."""
    position = decode_cursor(cursor, 1)
    wanted = channel_id_in_path(channel_id)
    async with reading(resources_of(request).pool) as connection:
        page = await membership.list_members(
            connection,
            caller.app_id,
            wanted,
            caller.user_id,
            after=position[0] if position else "",
            limit=limit,
        )
    return RawJson(data_json(page))


@router.post("/members")
async def add_members(request: Request, channel_id: str, body: AddMembers, caller: ChatWriter) -> Response:
    """Add users; who is in the channel already stays as is."""
    wanted = channel_id_in_path(channel_id)
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())

    async def effect(tx: Transaction) -> Answer:
        added = await membership.add_members(tx, cause, wanted, caller.user_id, body.by_path, body.role)
        return Answer(data_json(added))

    return await mutate(request, caller.scope, effect)


# A user id may hold a slash.
@router.patch("/members/{user_id:path}")
async def change_role(
    request: Request, channel_id: str, user_id: str, body: ChangeRole, caller: ChatWriter
) -> Response:
    """Give a member another role."""
    wanted, target = channel_id_in_path(channel_id), _target(user_id)
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())

    async def effect(tx: Transaction) -> Answer:
        member = await membership.change_role(tx, cause, wanted, caller.user_id, target, body.role)
        return Answer(data_json(member))

    return await mutate(request, caller.scope, effect)


@router.delete("/members/{user_id:path}")
async def remove_member(request: Request, channel_id: str, user_id: str, caller: ChatWriter) -> Response:
    """Put a member out, or leave oneself."""
    return await _remove(request, channel_id, _target(user_id), caller)


@router.post("/join")
async def join(request: Request, channel_id: str, caller: WritingUser) -> Response:
    """Come into a public, team or livestream channel: 201, or 200 when already in it."""
    wanted, user_id = channel_id_in_path(channel_id), _own_id(caller)
    cause = cause_of(request, caller.app_id, user_id, utc_now())

    async def effect(tx: Transaction) -> Answer:
        member, is_new = await membership.join(tx, cause, wanted, user_id)
        return Answer(data_json(member), 201 if is_new else 200)

    return await mutate(request, caller.scope, effect)


@router.post("/leave")
async def leave(request: Request, channel_id: str, caller: WritingUser) -> Response:
    """Leave the channel."""
    return await _remove(request, channel_id, _own_id(caller), caller)


async def _remove(request: Request, channel_id: str, target: UserId, caller: Principal) -> Response:
    wanted = channel_id_in_path(channel_id)
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await membership.remove(tx, cause, wanted, caller.user_id, target)))

    return await mutate(request, caller.scope, effect)


def _own_id(caller: Principal) -> UserId:
    assert caller.user_id is not None, "WritingUser is a user"
    return caller.user_id


def _target(text: str) -> UserId:
    user_id = user_id_in_path(text)
    if user_id is None:
        raise MemberNotFound(text)
    return user_id
