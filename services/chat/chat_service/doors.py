"""What every HTTP door of this service does the same way: find the resources, run a mutation, name a cause."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import cast

from fastapi import Request, Response

from chat_service.auth.principal import Principal
from chat_service.errors import ChannelNotFound, MessageNotFound
from chat_service.events.log import Cause
from chat_service.resources import Resources
from chat_service.wire_input import channel_id_in_path, uuid_in_path
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, UserId
from chatsdk_contracts.wire import to_wire_precision
from chatsdk_runtime.errors import Unavailable, invalid_field
from chatsdk_runtime.idempotency import Answer, IdempotentCall, Reread, idempotent_call, perform
from chatsdk_runtime.postgres import Transaction
from chatsdk_runtime.web import request_id, traceparent


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
    request: Request,
    principal_scope: str,
    effect: Callable[[Transaction], Awaitable[Answer]],
    reread: Reread | None = None,
) -> Response:
    """Run one use case in one transaction, once per `Idempotency-Key`, and wake the relay for its events.

    With `reread` a repeat shows what it reads, and no copy of the first answer is kept.
    """
    return await mutate_once(request, await idempotent_call(request, principal_scope), effect, reread)


async def mutate_once(
    request: Request,
    call: IdempotentCall | None,
    effect: Callable[[Transaction], Awaitable[Answer]],
    reread: Reread | None = None,
) -> Response:
    """The same for a call whose body was read already."""
    resources = resources_of(request)
    answer = await perform(resources.pool, resources.keyring, call, effect, reread)
    resources.wake_relay()
    return answer


def cause_of(request: Request, app_id: AppId, actor_id: UserId | None, now: datetime) -> Cause:
    """Why an event exists; the caller's trace goes on, else one starts here."""
    return Cause(
        app_id=app_id,
        now=now,
        epoch=resources_of(request).epoch,
        actor_id=actor_id,
        traceparent=traceparent(request) or new_traceparent(),
        key_id=request.scope["state"].get("key_id"),
        request_id=request_id(request),
    )


def require_channel_id(text: str) -> ChannelId:
    """A channel id out of a path.

    Raises:
        ChannelNotFound: no channel can have it.
    """
    channel_id = channel_id_in_path(text)
    if channel_id is None:
        raise ChannelNotFound
    return channel_id


def require_message_id(text: str) -> MessageId:
    """A message id out of a path or query.

    Raises:
        MessageNotFound: no message can have it.
    """
    canonical = uuid_in_path(text)
    if canonical is None:
        raise MessageNotFound
    return MessageId(canonical)


def acting_user(caller: Principal, given: UserId | None) -> UserId:
    """In whose name this happens: the caller's own, or whom an app's server names.

    Raises:
        InvalidInput: a server names nobody, or a user somebody else.
    """
    if caller.user_id is None:
        if given is None:
            raise invalid_field("userId", "missing", "required with an API key: in whose name?")
        return given
    if given is not None and given != caller.user_id:
        raise invalid_field("userId", "not_yours", "a user acts as itself; leave userId out")
    return caller.user_id


def utc_now() -> datetime:
    """The clock, in the milliseconds that the wire carries: what is stored equals what is told."""
    return to_wire_precision(datetime.now(UTC))


def new_traceparent() -> str:
    """A trace that starts here (W3C trace context), marked to be recorded."""
    chance = os.urandom(24).hex()
    return f"00-{chance[:32]}-{chance[32:]}-01"
