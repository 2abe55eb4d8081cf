"""HTTP in: /api/auth/tokens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from chat_service.auth import actions, rules
from chat_service.auth.credentials import CurrentServer
from chat_service.doors import mutate, resources_of, utc_now
from chat_service.wire_input import InputUserId, RequestModel
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction

router = APIRouter(prefix="/api/auth", tags=["auth"])


class MintToken(RequestModel):
    """For whom, and for how many seconds."""

    user_id: InputUserId
    expires_in_s: Annotated[int, Field(ge=rules.SHORTEST_S, le=rules.LONGEST_S)] = rules.DEFAULT_S


@router.post("/tokens", status_code=201)
async def mint_token(request: Request, body: MintToken, caller: CurrentServer) -> Response:
    """Mint a token with which the user's devices call."""
    keyring = resources_of(request).keyring

    async def effect(tx: Transaction) -> Answer:
        minted = await actions.mint_token(
            tx, keyring, caller.app_id, body.user_id, expires_in_s=body.expires_in_s, now=utc_now()
        )
        return Answer(data_json(minted), 201)

    return await mutate(request, caller.scope, effect)
