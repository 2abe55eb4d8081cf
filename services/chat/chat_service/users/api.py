"""HTTP in: /api/users."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from chat_service.auth.credentials import CurrentCaller, CurrentServer, CurrentUser
from chat_service.doors import cause_of, mutate, resources_of, utc_now
from chat_service.paging import Cursor, Limit, decode_cursor
from chat_service.users import actions
from chat_service.wire_input import (
    CustomObject,
    Email,
    ImageUrl,
    InputUserId,
    Name,
    RequestModel,
    user_id_in_path,
)
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/users", tags=["users"])


class EnsureUser(RequestModel):
    """A user to make or to bring up to date; what is left out stays as it is, null empties."""

    user_id: InputUserId
    name: Name | None = None
    image: ImageUrl | None = None
    email: Email | None = None
    custom: CustomObject | None = None


@router.post("/ensure", status_code=201)
async def ensure_user(request: Request, body: EnsureUser, caller: CurrentServer) -> Response:
    """Make a user (201) or bring one up to date (200)."""
    cause = cause_of(request, caller.app_id, None, utc_now())
    given = body.model_dump(exclude_unset=True, by_alias=False)

    async def effect(tx: Transaction) -> Answer:
        user = await actions.ensure_user(tx, cause, body.user_id, given)
        return Answer(data_json(user), 201 if user.created else 200)

    return await mutate(request, caller.scope, effect)


@router.get("/me")
async def get_me(request: Request, caller: CurrentUser) -> Response:
    """The caller's own user, with the e-mail address."""
    async with reading(resources_of(request).pool) as connection:
        user = await actions.get_user(connection, caller.app_id, caller.user_id, whole=True)
    return RawJson(data_json(user))


@router.get("")
async def list_users(
    request: Request, caller: CurrentServer, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """The app's users by id, for its servers."""
    position = decode_cursor(cursor, 1)
    after = position[0] if position else ""
    async with reading(resources_of(request).pool) as connection:
        page = await actions.list_users(connection, caller.app_id, after=after, limit=limit)
    return RawJson(data_json(page))


# A user id may hold a slash.
@router.get("/{user_id:path}")
async def get_user(request: Request, user_id: str, caller: CurrentCaller) -> Response:
    """A user as others see it; the app's servers and the user see the e-mail address too."""
    wanted = user_id_in_path(user_id)
    whole = caller.kind == "server" or caller.user_id == wanted
    async with reading(resources_of(request).pool) as connection:
        user = await actions.get_user(connection, caller.app_id, wanted, whole=whole)
    return RawJson(data_json(user))
