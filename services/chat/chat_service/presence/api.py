"""HTTP in: be there, be shown otherwise, and see who is there."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from chat_service.auth.credentials import ChatReader, ReadingUser, TypingUser
from chat_service.auth.principal import Principal
from chat_service.doors import mutate, require_channel_id, resources_of, utc_now
from chat_service.presence import actions
from chat_service.presence.rules import Choice
from chat_service.presence.store import UserKey
from chat_service.presence.telling import Shown
from chat_service.presence.views import Heard
from chat_service.wire_input import InputUserId, RequestModel
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading, transaction
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api", tags=["presence"])


class ChoosePresence(RequestModel):
    """How to be shown: invisible until something else is chosen, offline until the next sign of life."""

    status: Choice


class QueryPresence(RequestModel):
    """Whom the caller asks about."""

    user_ids: Annotated[tuple[InputUserId, ...], Field(min_length=1, max_length=100)]


@router.get("/presence")
async def own_presence(request: Request, caller: ReadingUser) -> Response:
    """What the caller chose, and how others see the caller."""
    async with reading(resources_of(request).pool) as connection:
        return RawJson(data_json(await actions.own(connection, _own(caller))))


@router.put("/presence")
async def choose(request: Request, body: ChoosePresence, caller: TypingUser) -> Response:
    """Be shown online, away, invisible or offline."""
    return await _choose(request, caller, body.status)


@router.post("/presence/online")
async def come(request: Request, caller: TypingUser) -> Response:
    """Be shown online: the same as PUT."""
    return await _choose(request, caller, "online")


@router.post("/presence/offline")
async def go(request: Request, caller: TypingUser) -> Response:
    """Be shown offline at once, until the next sign of life."""
    return await _choose(request, caller, "offline")


@router.post("/presence/heartbeat")
async def beat(request: Request, caller: TypingUser) -> Response:
    """Be there without a socket; say it again before it expires (`CHAT_PRESENCE_HEARTBEAT_S`)."""
    resources = resources_of(request)
    async with transaction(resources.pool) as tx:
        changed = await actions.beat(tx, _own(caller), actions.times_of(resources.settings))
    resources.presence.tell(changed, utc_now())
    return RawJson(data_json(Heard(success=True)))


@router.post("/presence/query")
async def query(request: Request, body: QueryPresence, caller: ChatReader) -> Response:
    """How users are who share a channel with the caller; an app's server sees all."""
    async with reading(resources_of(request).pool) as connection:
        return RawJson(data_json(await actions.look(connection, caller, body.user_ids)))


@router.get("/channels/{channel_id}/presence")
async def channel_presence(
    request: Request,
    channel_id: str,
    caller: ChatReader,
    limit: Annotated[int, Query(ge=1, le=200, description="Most members of each list.")] = 100,
) -> Response:
    """Which members are there, and how many."""
    wanted = require_channel_id(channel_id)
    async with reading(resources_of(request).pool) as connection:
        return RawJson(data_json(await actions.look_at_channel(connection, caller, wanted, limit=limit)))


async def _choose(request: Request, caller: Principal, choice: Choice) -> Response:
    resources, told = resources_of(request), list[Shown]()

    async def effect(tx: Transaction) -> Answer:
        shown, changed = await actions.choose(tx, _own(caller), choice, actions.times_of(resources.settings))
        told.extend(changed)
        return Answer(data_json(shown))

    answer = await mutate(request, caller.scope, effect)
    resources.presence.tell(told, utc_now())
    return answer


def _own(caller: Principal) -> UserKey:
    assert caller.user_id is not None, "the route is for users"
    return caller.app_id, caller.user_id
