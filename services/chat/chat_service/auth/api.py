"""HTTP in: /api/auth/tokens."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from chat_service.auth import actions, rules
from chat_service.auth.credentials import TokenMinter
from chat_service.auth.revocation import Revocation, spread
from chat_service.doors import mutate, resources_of, utc_now
from chat_service.wire_input import InputUserId, RequestModel, uuid_in_path
from chatsdk_contracts.scopes import UserScope
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction

router = APIRouter(prefix="/api/auth", tags=["auth"])


def _check_jti(value: str) -> str:
    canonical = uuid_in_path(value)
    if canonical is None:
        raise PydanticCustomError("invalid_id", "is not the jti of a token (a UUID)")
    return canonical


class MintToken(RequestModel):
    """For whom, for how many seconds, and with which scopes; without scopes it may what user and key both may."""

    user_id: InputUserId
    expires_in_s: Annotated[int, Field(ge=rules.SHORTEST_S, le=rules.LONGEST_S)] = rules.DEFAULT_S
    # An empty list would mean everything: whoever computed one meant nothing.
    scopes: Annotated[tuple[UserScope, ...], Field(min_length=1)] | None = None


class RevokeTokens(RequestModel):
    """One token by its `jti`, all of a user, or all of the app."""

    jti: Annotated[str, AfterValidator(_check_jti)] | None = None
    user_id: InputUserId | None = None
    all: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if [self.jti, self.user_id, self.all].count(None) != 2:
            raise PydanticCustomError("one_of", "give one of jti, userId and all")
        return self


@router.post("/tokens", status_code=201)
async def mint_token(request: Request, body: MintToken, caller: TokenMinter) -> Response:
    """Mint a token with which the user's devices call."""
    keyring = resources_of(request).keyring
    scopes = None if body.scopes is None else frozenset(body.scopes)
    wish = rules.TokenWish(body.user_id, body.expires_in_s, scopes)

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.mint_token(tx, keyring, caller, wish, utc_now())), 201)

    return await mutate(request, caller.scope, effect)


@router.post("/tokens/revoke")
async def revoke_tokens(request: Request, body: RevokeTokens, caller: TokenMinter) -> Response:
    """Take tokens back: at once here, elsewhere within five seconds. Tokens minted afterwards are valid."""
    revocation = Revocation(caller.app_id, utc_now(), user_id=body.user_id, jti=body.jti)

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.revoke_tokens(tx, revocation)))

    answer = await mutate(request, caller.scope, effect)
    spread(resources_of(request), revocation)
    return answer
