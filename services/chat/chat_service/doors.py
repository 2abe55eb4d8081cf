"""What every HTTP door of this service does the same way: find the resources, run a mutation, name a cause."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import cast

from fastapi import Request, Response

from chat_service.events.log import Cause
from chat_service.resources import Resources
from chatsdk_contracts.ids import AppId, UserId
from chatsdk_contracts.wire import to_wire_precision
from chatsdk_runtime.errors import Unavailable
from chatsdk_runtime.idempotency import Answer, IdempotentCall, idempotent_call, perform
from chatsdk_runtime.postgres import Transaction
from chatsdk_runtime.web import traceparent


def resources_of(request: Request) -> Resources:
    """The service's resources, put there by the composition root.

    Raises:
        Unavailable: the operations port answers already, the service behind it is still waiting for its database.
    """
    resources = getattr(request.app.state, "resources", None)
    if resources is None:
        raise Unavailable("The service is still starting.", headers={"Retry-After": "1"})
    return cast("Resources", resources)


async def mutate(
    request: Request, principal_scope: str, effect: Callable[[Transaction], Awaitable[Answer]]
) -> Response:
    """Run one use case in one transaction, once per `Idempotency-Key`, and wake the relay for its events."""
    return await mutate_once(request, await idempotent_call(request, principal_scope), effect)


async def mutate_once(
    request: Request, call: IdempotentCall | None, effect: Callable[[Transaction], Awaitable[Answer]]
) -> Response:
    """The same for a call whose body was read already."""
    resources = resources_of(request)
    answer = await perform(resources.pool, resources.keyring, call, effect)
    resources.wake_relay()
    return answer


def cause_of(request: Request, app_id: AppId, actor_id: UserId | None, now: datetime) -> Cause:
    """Why an event exists; the caller's trace goes on, else one starts here."""
    return Cause(
        app_id=app_id,
        now=now,
        epoch=resources_of(request).epoch,
        actor_id=actor_id,
        traceparent=traceparent(request) or _new_traceparent(),
    )


def utc_now() -> datetime:
    """The clock, in the milliseconds that the wire carries: what is stored equals what is told."""
    return to_wire_precision(datetime.now(UTC))


def _new_traceparent() -> str:
    chance = os.urandom(24).hex()
    return f"00-{chance[:32]}-{chance[32:]}-01"
