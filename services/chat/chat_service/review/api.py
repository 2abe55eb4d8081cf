"""HTTP in: /api/moderation/held, the whole app's queue, for its servers."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from chat_service.auth.credentials import Moderator
from chat_service.auth.principal import Principal
from chat_service.doors import cause_of, mutate, require_message_id, resources_of, utc_now
from chat_service.paging import Cursor, Limit, time_and_id
from chat_service.review import actions
from chat_service.review.actions import Decision
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/moderation/held", tags=["moderation"])


@router.get("")
async def list_held(
    request: Request, caller: Moderator, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """What waits for a moderator, the oldest first."""
    after = time_and_id(cursor)
    async with reading(resources_of(request).pool) as connection:
        page = await actions.list_held(connection, caller, None, after=after, limit=limit)
    return RawJson(data_json(page))


@router.post("/{message_id}/approve")
async def approve_held(request: Request, message_id: str, caller: Moderator) -> Response:
    """Send it now."""
    decision = _decision(request, message_id, caller)

    async def effect(tx: Transaction) -> Answer:
        return await actions.approve(tx, decision)

    return await mutate(request, caller.scope, effect)


@router.post("/{message_id}/reject")
async def reject_held(request: Request, message_id: str, caller: Moderator) -> Response:
    """Never send it."""
    decision = _decision(request, message_id, caller)

    async def effect(tx: Transaction) -> Answer:
        return await actions.reject(tx, decision)

    return await mutate(request, caller.scope, effect)


def _decision(request: Request, message_id: str, caller: Principal) -> Decision:
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())
    return Decision(caller, None, require_message_id(message_id), cause)
