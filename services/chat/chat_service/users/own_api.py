"""HTTP in: /api/users/me, blocks and mutes, which are a user's own."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from chat_service.auth.credentials import ReadingUser, WritingUser
from chat_service.auth.principal import Principal
from chat_service.doors import cause_of, mutate, resources_of, utc_now
from chat_service.errors import UserNotFound
from chat_service.paging import Cursor, Limit, decode_cursor
from chat_service.users import actions, blocking, muting
from chat_service.users.requests import ChangeMe
from chat_service.wire_input import user_id_in_path
from chatsdk_contracts.control import BlocksChanged, ChangedBlocks
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/users", tags=["users"])


@router.get("/me")
async def get_me(request: Request, caller: ReadingUser) -> Response:
    """The caller's own user, with the e-mail address."""
    async with reading(resources_of(request).pool) as connection:
        user = await actions.get_user(connection, caller.app_id, caller.user_id, whole=True)
    return RawJson(data_json(user))


@router.patch("/me")
async def change_me(request: Request, body: ChangeMe, caller: WritingUser) -> Response:
    """Change how others see the caller; what is left out stays as it is, null empties."""
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.change_user(tx, cause, caller.user_id, body.given)))

    return await mutate(request, caller.scope, effect)


@router.get("/me/blocked")
async def list_blocked(
    request: Request, caller: ReadingUser, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """Whom the caller has blocked, by id."""
    position = decode_cursor(cursor, 1)
    after = position[0] if position else ""
    async with reading(resources_of(request).pool) as connection:
        page = await blocking.list_blocked(
            connection, caller.app_id, _own_id(caller), after=after, limit=limit
        )
    return RawJson(data_json(page))


# A user id may hold a slash.
@router.post("/{user_id:path}/block")
async def block_user(request: Request, user_id: str, caller: WritingUser) -> Response:
    """Block a user; again, it stays as it is."""
    own, other = _own_id(caller), _other(user_id)

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await blocking.block(tx, caller.app_id, own, other, utc_now())))

    answer = await mutate(request, caller.scope, effect)
    _tell_blocks(request, caller)
    return answer


@router.delete("/{user_id:path}/block")
async def unblock_user(request: Request, user_id: str, caller: WritingUser) -> Response:
    """Unblock a user; again, it stays as it is."""
    own, other = _own_id(caller), _other(user_id)

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await blocking.unblock(tx, caller.app_id, own, other)))

    answer = await mutate(request, caller.scope, effect)
    _tell_blocks(request, caller)
    return answer


@router.get("/me/muted")
async def list_muted(
    request: Request, caller: ReadingUser, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """Whom the caller has muted, by id."""
    position = decode_cursor(cursor, 1)
    after = position[0] if position else ""
    async with reading(resources_of(request).pool) as connection:
        page = await muting.list_muted(connection, caller.app_id, _own_id(caller), after=after, limit=limit)
    return RawJson(data_json(page))


@router.post("/{user_id:path}/mute")
async def mute_user(request: Request, user_id: str, caller: WritingUser) -> Response:
    """Want no notifications of a user, whose messages are shown as ever; again, it stays as it is."""
    own, other = _own_id(caller), _other(user_id)

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await muting.mute(tx, caller.app_id, own, other, utc_now())))

    return await mutate(request, caller.scope, effect)


@router.delete("/{user_id:path}/mute")
async def unmute_user(request: Request, user_id: str, caller: WritingUser) -> Response:
    """Want notifications of a user again; again, it stays as it is."""
    own, other = _own_id(caller), _other(user_id)

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await muting.unmute(tx, caller.app_id, own, other)))

    return await mutate(request, caller.scope, effect)


def _tell_blocks(request: Request, caller: Principal) -> None:
    """It is committed: the user's sockets, wherever they are, hide others from here on."""
    told = ChangedBlocks(user_id=_own_id(caller))
    resources_of(request).control.tell(BlocksChanged, caller.app_id, told, utc_now())


def _own_id(caller: Principal) -> UserId:
    assert caller.user_id is not None, "the doors of this module let in users only"
    return caller.user_id


def _other(text: str) -> UserId:
    user_id = user_id_in_path(text)
    if user_id is None:
        raise UserNotFound(text)
    return user_id
