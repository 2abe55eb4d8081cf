"""HTTP in: erasing a user, and how far that is. Comes before the users' own routes, whose id may hold a slash."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response

from chat_service.auth.credentials import UserManager
from chat_service.auth.revocation import Revocation, spread
from chat_service.doors import cause_of, mutate, resources_of, utc_now
from chat_service.erasure import actions
from chat_service.wire_input import RequestModel, user_id_in_path, uuid_in_path
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(tags=["lifecycle"])


class EraseUser(RequestModel):
    """What becomes of the user's messages: nothing of them stays (redact), or what they say does (keep)."""

    messages: Literal["redact", "keep"] = "redact"


# A user id may hold a slash.
@router.post("/api/users/{user_id:path}/erase", status_code=202)
async def erase_user(
    request: Request, user_id: str, caller: UserManager, body: EraseUser | None = None
) -> Response:
    """Erase a user everywhere, for good: their profile and tokens now, the rest within minutes; see the erasure."""
    resources, wanted = resources_of(request), user_id_in_path(user_id)
    cause, words = cause_of(request, caller.app_id, None, utc_now()), (body or EraseUser()).messages

    async def effect(tx: Transaction) -> Answer:
        delay_s = resources.settings.erase_delay_s
        return Answer(data_json(await actions.erase_user(tx, cause, wanted, words, delay_s=delay_s)), 202)

    answer = await mutate(request, caller.scope, effect)
    spread(resources, Revocation(caller.app_id, utc_now(), user_id=wanted))
    return answer


@router.get("/api/erasures/{erasure_id}")
async def get_erasure(request: Request, erasure_id: str, caller: UserManager) -> Response:
    """How far an erasure is, with what went so far, by where it was."""
    async with reading(resources_of(request).pool) as connection:
        erasure = await actions.get_erasure(connection, caller.app_id, uuid_in_path(erasure_id))
    return RawJson(data_json(erasure))
