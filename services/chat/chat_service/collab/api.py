"""HTTP in: the operations on a message that several people write."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from chat_service.auth.credentials import ChatReader, ChatWriter
from chat_service.collab import actions
from chat_service.collab.actions import Asked, Limits, Writing
from chat_service.collab.errors import TextMovedOn
from chat_service.collab.requests import WriteOps
from chat_service.doors import (
    acting_user,
    cause_of,
    mutate,
    require_channel_id,
    require_message_id,
    resources_of,
    utc_now,
)
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.postgres import snapshot
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/channels/{channel_id}/messages/{message_id}/ops", tags=["messages"])


# Each is screened anew, if the app screens; elsewhere the first one counts.
_TRIES: Final = 3


@router.post("", status_code=201)
async def write_ops(
    request: Request, channel_id: str, message_id: str, body: WriteOps, caller: ChatWriter
) -> Response:
    """Change a collaborative text; 201 the first time, 200 with `duplicate: true` for the same `clientOpId` again."""
    writer = acting_user(caller, body.user_id)
    wanted = Writing(
        cause=cause_of(request, caller.app_id, writer, utc_now()),
        channel_id=require_channel_id(channel_id),
        message_id=require_message_id(message_id),
        writer=caller,
        user_id=writer,
        client_op_id=body.client_op_id,
        base_version=body.base_version,
        ops=body.ops,
    )
    resources = resources_of(request)
    limits = Limits(resources.settings.collab_ops_kept, resources.settings.collab_state_bytes)
    reread = partial(actions.reread, wanted=wanted)
    tries_left = _TRIES
    while True:
        screened = await actions.screen(resources, wanted, limits)
        effect = partial(actions.write, wanted=wanted, limits=limits, screened=screened)
        try:
            return await mutate(request, caller.scope, effect, reread)
        except TextMovedOn:
            tries_left -= 1
            if not tries_left:
                raise


@router.get("")
async def list_ops(
    request: Request,
    channel_id: str,
    message_id: str,
    caller: ChatReader,
    after: Annotated[
        int | None,
        Query(
            ge=0, le=2**62, description="Version of the text that one has; 0 or none: begin with a snapshot."
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="Most operations of one page.")] = 100,
) -> Response:
    """The operations behind a version, ascending, or a snapshot of the text with its version to begin with."""
    asked = Asked(require_channel_id(channel_id), require_message_id(message_id), after, limit)
    async with snapshot(resources_of(request).pool) as connection:
        page = await actions.read(connection, caller, asked)
    return RawJson(data_json(page))
