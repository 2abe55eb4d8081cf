"""HTTP in: mute, star and hide a channel. A user's own calls; an API key is refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Self

from fastapi import APIRouter, Request, Response
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from chat_service.auth.credentials import WritingUser
from chat_service.auth.principal import Principal
from chat_service.doors import cause_of, mutate, utc_now
from chat_service.memberstate import actions, rules
from chat_service.memberstate.rules import PrivateState
from chat_service.wire_input import RequestModel, channel_id_in_path
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction

router = APIRouter(prefix="/api/channels/{channel_id}", tags=["member state"])

_LONGEST_MUTE_S = 10 * 365 * 24 * 3_600


class Mute(RequestModel):
    """Mute for so many seconds from now, or without `untilS` until the user says otherwise; or unmute."""

    muted: bool
    until_s: Annotated[int, Field(ge=1, le=_LONGEST_MUTE_S)] | None = None

    @model_validator(mode="after")
    def _only_muted_ends(self) -> Self:
        if self.until_s is not None and not self.muted:
            raise PydanticCustomError("not_muted", "untilS goes with muted: true")
        return self


class Star(RequestModel):
    """Star or not."""

    starred: bool


class Hide(RequestModel):
    """Hide until the next message, perhaps with all that was said so far; or show again."""

    hidden: bool
    clear_history: bool = False

    @model_validator(mode="after")
    def _only_hiding_clears(self) -> Self:
        if self.clear_history and not self.hidden:
            raise PydanticCustomError("not_hidden", "clearHistory goes with hidden: true")
        return self


@router.patch("/mute")
async def mute(request: Request, channel_id: str, body: Mute, caller: WritingUser) -> Response:
    """Mute or unmute the channel for the caller."""
    change = partial(rules.muted, until_s=body.until_s, now=utc_now()) if body.muted else rules.unmuted
    return await _change(request, channel_id, caller, change)


@router.patch("/star")
async def star(request: Request, channel_id: str, body: Star, caller: WritingUser) -> Response:
    """Star the channel for the caller, or not any more."""
    return await _change(request, channel_id, caller, partial(rules.starred, on=body.starred))


@router.patch("/hide")
async def hide(request: Request, channel_id: str, body: Hide, caller: WritingUser) -> Response:
    """Hide the channel from the caller's list until the next message, or show it again."""
    change = partial(rules.hidden, on=body.hidden, clear_history=body.clear_history)
    return await _change(request, channel_id, caller, change)


async def _change(
    request: Request, channel_id: str, caller: Principal, change: Callable[[PrivateState], PrivateState]
) -> Response:
    user_id = caller.user_id
    assert user_id is not None, "the route is for users"
    wanted = channel_id_in_path(channel_id)
    cause = cause_of(request, caller.app_id, user_id, utc_now())

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.change_state(tx, cause, wanted, user_id, change)))

    return await mutate(request, caller.scope, effect)
