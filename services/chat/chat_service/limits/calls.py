"""Limits at the HTTP doors: every guarded call is counted, and every answer says what is left."""

from __future__ import annotations

import time
from typing import Final

from fastapi import Request

from chat_service.auth.principal import Principal
from chat_service.doors import resources_of
from chat_service.limits.charge import Charge
from chat_service.limits.rates import Action
from chatsdk_contracts.ids import ChannelId
from chatsdk_contracts.scopes import Scope
from chatsdk_runtime.idempotency import fetch_answer, idempotent_call
from chatsdk_runtime.postgres import reading

_READING: Final = frozenset({"GET", "HEAD"})


def action_of(scope: Scope | None, method: str) -> Action:
    """What a call counts as, by what its route asks of the caller."""
    if scope == "search:read":
        return "search"
    if scope == "upload:write":
        return "upload"
    return "read" if method in _READING else "write"


async def charge_call(request: Request, caller: Principal, action: Action) -> None:
    """Count a call.

    Raises:
        RateLimited: there were too many, and this one is no repeat of a call that was answered.
    """
    charge = await charge_for(request, caller, action)
    if charge.refused_by is not None and not await _is_repeat(request, charge):
        charge.require()


async def charge_for(
    request: Request, caller: Principal, action: Action, channel_id: ChannelId | None = None
) -> Charge:
    """Count a call and have its answer say what is left; whether it may go on is for the caller to ask."""
    charge = await resources_of(request).limiter.charge(action, caller, channel_id)
    request.scope["state"]["response_headers"] = charge.headers(time.time())
    return charge


async def _is_repeat(request: Request, charge: Charge) -> bool:
    """Whether this very call was answered under its Idempotency-Key."""
    if request.method in _READING or "idempotency-key" not in request.headers:
        return False
    if request.headers.get("content-type", "").startswith("multipart/"):
        # A file on its way is not held to be compared.
        return False
    resources = resources_of(request)
    await resources.limiter.require_look(charge)
    call = await idempotent_call(request, charge.caller.scope)
    if call is None:
        return False
    async with reading(resources.pool) as connection:
        # With other content the call raises here what it would raise there.
        return await fetch_answer(connection, resources.keyring, call) is not None
