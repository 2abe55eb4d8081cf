"""HTTP in: /api/legal-holds."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, Field

from chat_service.auth.credentials import Moderator
from chat_service.doors import cause_of, mutate, resources_of, utc_now
from chat_service.holds import actions
from chat_service.paging import Cursor, Limit, broken_cursor, decode_cursor
from chat_service.wire_input import InputUserId, Reference, RequestModel, check_text, uuid_in_path
from chatsdk_contracts.ids import ChannelId
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.errors import invalid_field
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/legal-holds", tags=["lifecycle"])


class MakeHold(RequestModel):
    """What to hold, a channel or a user, and why; the reason is shown to nobody but the app's servers."""

    channel_id: Reference | None = None
    user_id: InputUserId | None = None
    reason: Annotated[str, Field(max_length=1_000), AfterValidator(check_text)] | None = None


@router.post("", status_code=201)
async def make_hold(request: Request, body: MakeHold, caller: Moderator) -> Response:
    """Hold a channel, or all that a user wrote: no deletion, purge, erasure or retention touches it until released."""
    if (body.channel_id is None) == (body.user_id is None):
        raise invalid_field(
            "channelId",
            "exactly_one",
            "a hold is of a channel or of a user",
            hint="Give channelId or userId.",
        )
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())

    async def effect(tx: Transaction) -> Answer:
        if body.user_id is not None:
            hold = await actions.hold_user(tx, cause, body.user_id, body.reason)
        else:
            channel_id = ChannelId(body.channel_id or "")
            hold = await actions.hold_channel(tx, cause, channel_id, body.reason)
        return Answer(data_json(hold), 201)

    return await mutate(request, caller.scope, effect)


@router.get("")
async def list_holds(
    request: Request, caller: Moderator, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """The holds in force, in the order of their making."""
    position = decode_cursor(cursor, 1)
    if position is not None and uuid_in_path(position[0]) is None:
        raise broken_cursor()
    after = None if position is None else position[0]
    async with reading(resources_of(request).pool) as connection:
        page = await actions.list_holds(connection, caller.app_id, after=after, limit=limit)
    return RawJson(data_json(page))


@router.delete("/{hold_id}")
async def release_hold(request: Request, hold_id: str, caller: Moderator) -> Response:
    """Release a hold: what waited for it is deleted from here on."""
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.release(tx, cause, uuid_in_path(hold_id))))

    return await mutate(request, caller.scope, effect)
