"""HTTP in: /api/sync."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from chat_service.auth.credentials import ReadingUser, WritingUser
from chat_service.auth.principal import Principal
from chat_service.doors import cause_of, resources_of, utc_now
from chat_service.errors import ChannelNotFound
from chat_service.messages.shelf import Shelf
from chat_service.sync import actions, cursor, ops
from chat_service.sync.actions import Reader
from chat_service.sync.op_store import LaneKey
from chat_service.sync.ops import Push
from chat_service.sync.pages import page_of
from chat_service.sync.requests import PushOps
from chat_service.wire_input import channel_id_in_path
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.sync import OpsAnswer
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.errors import BadRequest
from chatsdk_runtime.postgres import snapshot
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/sync", tags=["sync"])

ClientId = Annotated[
    str | None, Query(alias="clientId", min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:-]+$")
]


@router.get("")
async def sync(
    request: Request,
    caller: ReadingUser,
    place: Annotated[
        str | None, Query(alias="cursor", max_length=1_024, description="`cursor` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="Most versions of one page.")] = 200,
    client_id: ClientId = None,
) -> Response:
    """What this user missed since the cursor; without one, where to start: every channel as a reset."""
    resources = resources_of(request)
    reader = Reader(caller.app_id, own_id(caller), client_id)
    behind = None
    if place is not None:
        behind = cursor.decode(place, resources.keyring, reader.app_id, reader.user_id)
        if behind is None:
            raise BadRequest(
                "The cursor is not one of this user's.",
                hint="Start anew: leave cursor out, and load what is reset.",
            )
    async with snapshot(resources.pool) as connection:
        caught = await actions.catch_up(connection, reader, behind, limit=limit, now=utc_now())
    return RawJson(data_json(page_of(caught, resources.keyring, reader.app_id, reader.user_id)))


@router.post("/ops")
async def push_ops(request: Request, body: PushOps, caller: WritingUser) -> Response:
    """Apply operations that a client kept: in order, each once, up to the first that may be tried again."""
    channel_id = channel_id_in_path(body.channel_id)
    if channel_id is None:
        raise ChannelNotFound
    resources = resources_of(request)
    user_id = own_id(caller)
    cause = cause_of(request, caller.app_id, user_id, utc_now())
    lane = LaneKey(caller.app_id, user_id, body.client_id, channel_id)
    asked = Push(caller, lane, cause, Shelf.of(resources), resources.limiter)
    results = await ops.push(resources.pool, asked, body.ops)
    resources.wake_relay()
    answer = OpsAnswer(
        client_id=body.client_id,
        channel_id=channel_id,
        results=results,
        last_lane_seq=results[-1].lane_seq,
    )
    return RawJson(data_json(answer))


def own_id(caller: Principal) -> UserId:
    """The user that a user's token names."""
    assert caller.user_id is not None, "the route is for users"
    return caller.user_id
