"""Dependencies of every public route: who calls, or why not.

async def route(caller: CurrentServer): ...
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from chat_service.auth.principal import Principal
from chat_service.doors import resources_of
from chatsdk_runtime.errors import Forbidden, Unauthorized

_CHALLENGE = {"WWW-Authenticate": "Bearer"}


async def current_server(request: Request) -> Principal:
    """The app's server, by X-API-Key; a valid user token is known and refused."""
    principal = await _by_key(request)
    if principal is not None:
        return principal
    if await _by_token(request) is not None:
        raise Forbidden(
            "A user token may not do this.", hint="Call from the app's server with its X-API-Key."
        )
    raise _missing("X-API-Key")


async def current_user(request: Request) -> Principal:
    """The user, by Bearer token."""
    principal = await _by_token(request)
    if principal is not None:
        return principal
    if await _by_key(request) is not None:
        raise Forbidden(
            "This call is a user's own; an API key may not make it.",
            hint="Mint a token with POST /api/auth/tokens and send it as Authorization: Bearer.",
        )
    raise _missing("Authorization: Bearer")


async def current_caller(request: Request) -> Principal:
    """Either: an API key if one is sent, else a token."""
    principal = await _by_key(request) or await _by_token(request)
    if principal is None:
        raise _missing("X-API-Key or Authorization: Bearer")
    return principal


CurrentServer = Annotated[Principal, Depends(current_server)]
CurrentUser = Annotated[Principal, Depends(current_user)]
CurrentCaller = Annotated[Principal, Depends(current_caller)]


async def _by_key(request: Request) -> Principal | None:
    key = request.headers.get("x-api-key")
    if key is None:
        return None
    principal = await resources_of(request).tokens.verify_key(key)
    if principal is None:
        raise Unauthorized(
            "The API key is not valid.",
            hint="It may have been revoked; chatsdk-admin keys list shows the live ones.",
            headers=_CHALLENGE,
        )
    return _noted(request, principal)


async def _by_token(request: Request) -> Principal | None:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        return None
    principal = await resources_of(request).tokens.verify_token(token.strip())
    if principal is None:
        raise Unauthorized(
            "The token is not valid or has expired.",
            hint="Mint a new one: POST /api/auth/tokens.",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )
    return _noted(request, principal)


def _noted(request: Request, principal: Principal) -> Principal:
    """Name the caller in the request's log line."""
    state = request.scope["state"]
    state["app_id"] = principal.app_id
    if principal.user_id is not None:
        state["user_id"] = principal.user_id
    return principal


def _missing(what: str) -> Unauthorized:
    return Unauthorized(f"Credentials are missing: send {what}.", headers=_CHALLENGE)
