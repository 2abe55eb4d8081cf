"""HTTP in: /api/users, what is everybody's; `own_api` has what is a user's own, and comes first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator

from chat_service.auth.credentials import ChatReader, UserManager
from chat_service.auth.principal import Principal
from chat_service.auth.revocation import Revocation, spread
from chat_service.doors import cause_of, mutate, resources_of, utc_now
from chat_service.events.log import Cause
from chat_service.paging import Cursor, Limit, broken_cursor, decode_cursor
from chat_service.users import actions
from chat_service.users.directory_store import place_of
from chat_service.users.requests import ChangeUser, EnsureUser, EnsureUsers
from chat_service.users.rules import OwnUser
from chat_service.wire_input import check_line, user_id_in_path
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.errors import FieldProblem, InvalidInput
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/users", tags=["users"])

Beginning = Annotated[
    str, Query(max_length=255, description="How the id or the name begins."), AfterValidator(check_line)
]


@router.post("/ensure", status_code=201)
async def ensure_user(request: Request, body: EnsureUser, caller: UserManager) -> Response:
    """Make a user (201) or bring one up to date (200)."""
    cause = cause_of(request, caller.app_id, None, utc_now())

    async def effect(tx: Transaction) -> Answer:
        user = await actions.ensure_user(tx, cause, body.user_id, body.given)
        return Answer(data_json(user), 201 if user.created else 200)

    return await mutate(request, caller.scope, effect)


@router.post("/bulk-ensure")
@router.post("/sync")
async def ensure_users(request: Request, body: EnsureUsers, caller: UserManager) -> Response:
    """Make up to a thousand users, or bring them up to date: all, or none."""
    cause = cause_of(request, caller.app_id, None, utc_now())
    wanted = {user.user_id: user.given for user in body.users}
    if len(wanted) < len(body.users):
        raise _named_twice(body)

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.ensure_users(tx, cause, wanted)))

    return await mutate(request, caller.scope, effect)


def _named_twice(body: EnsureUsers) -> InvalidInput:
    seen: set[UserId] = set()
    problems = []
    for index, user in enumerate(body.users):
        if user.user_id in seen:
            path = f"users[{index}].userId"
            problems.append(FieldProblem(path, "duplicate", f"user {user.user_id!r} is in the list twice"))
        seen.add(user.user_id)
    return InvalidInput("; ".join(f"{one.path}: {one.message}" for one in problems[:3]), details=problems)


@router.get("")
async def find_users(
    request: Request, caller: ChatReader, q: Beginning = "", cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """Users by the beginning of their id or name; the app's settings say whom a user may find."""
    position = decode_cursor(cursor, 3)
    after = None if position is None else place_of(position)
    if position is not None and after is None:
        raise broken_cursor()
    async with reading(resources_of(request).pool) as connection:
        page = await actions.find_users(connection, caller, q, after=after, limit=limit)
    return RawJson(data_json(page))


# A user id may hold a slash.
@router.post("/{user_id:path}/deactivate")
async def deactivate_user(request: Request, user_id: str, caller: UserManager) -> Response:
    """Let a user call no more: at once here, within five seconds everywhere. What they wrote stays."""
    return await _end(request, user_id, caller)


@router.post("/{user_id:path}/reactivate")
async def reactivate_user(request: Request, user_id: str, caller: UserManager) -> Response:
    """Let a deactivated user call again, with a new token."""
    return await _manage(request, user_id, caller, actions.reactivate)


@router.get("/{user_id:path}")
async def get_user(request: Request, user_id: str, caller: ChatReader) -> Response:
    """A user as others see it; the app's servers and the user see the e-mail address too."""
    wanted = user_id_in_path(user_id)
    whole = caller.kind == "server" or caller.user_id == wanted
    async with reading(resources_of(request).pool) as connection:
        user = await actions.get_user(connection, caller.app_id, wanted, whole=whole)
    return RawJson(data_json(user))


@router.put("/{user_id:path}")
@router.patch("/{user_id:path}")
async def change_user(request: Request, user_id: str, body: ChangeUser, caller: UserManager) -> Response:
    """Change what is given; the rest stays as it is, null empties."""

    async def change(tx: Transaction, cause: Cause, wanted: UserId | None) -> OwnUser:
        return await actions.change_user(tx, cause, wanted, body.given)

    return await _manage(request, user_id, caller, change)


@router.delete("/{user_id:path}")
async def delete_user(request: Request, user_id: str, caller: UserManager) -> Response:
    """The same as deactivating: what the user wrote stays, and the user may be reactivated."""
    return await _end(request, user_id, caller)


async def _end(request: Request, user_id: str, caller: Principal) -> Response:
    answer = await _manage(request, user_id, caller, actions.deactivate)
    gone = Revocation(caller.app_id, utc_now(), user_id=user_id_in_path(user_id))
    spread(resources_of(request), gone)
    return answer


async def _manage(
    request: Request,
    user_id: str,
    caller: Principal,
    change: Callable[[Transaction, Cause, UserId | None], Awaitable[OwnUser]],
) -> Response:
    wanted = user_id_in_path(user_id)
    cause = cause_of(request, caller.app_id, None, utc_now())

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await change(tx, cause, wanted)))

    return await mutate(request, caller.scope, effect)
