"""Who calls the API: an app's server, known by its key, which chat is asked about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from fastapi import Request

from chatsdk_contracts.scopes import Scope, allows
from chatsdk_runtime.errors import BadRequest, NotFound, ScopeMissing
from chatsdk_runtime.service_client import ChatClient, Principal
from webhook_dispatcher.errors import NoCredential, ServerOnly

_SCOPE: Final[Scope] = "webhooks:manage"
_KEY_HINT = "Send the app's key in the X-API-Key header."

Caller = Callable[[Request], Awaitable[Principal]]


def caller_by(chat: ChatClient) -> Caller:
    """What the doors ask first, before a body is judged."""

    async def caller(request: Request) -> Principal:
        known = request.scope["state"].get("principal")
        if isinstance(known, Principal):
            return known
        principal = await authenticate(chat, request)
        request.scope["state"]["principal"] = principal
        return principal

    return caller


async def authenticate(chat: ChatClient, request: Request) -> Principal:
    """The app behind the request.

    Raises:
        NoCredential: no key, or one that is not valid.
        ScopeMissing: a key that is limited to other things than webhooks.
        ServerOnly: a user's token: webhooks are never reachable with one.
        Unavailable: chat cannot be asked.
    """
    key = request.headers.get("x-api-key")
    if key is not None:
        principal = await chat.introspect("apiKey", key)
        if principal is None or principal.kind != "api_key":
            raise NoCredential("This API key is not valid.", hint=_KEY_HINT)
        request.scope["state"]["app_id"] = principal.app_id
        if not allows(principal.scopes, _SCOPE):
            raise ScopeMissing(_SCOPE)
        return principal
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        if await chat.introspect("token", token.strip()) is not None:
            raise ServerOnly("Webhooks are managed by an app's server, not by its users.", hint=_KEY_HINT)
        raise NoCredential("This token is not valid.", hint=_KEY_HINT)
    raise NoCredential("A credential is needed.", hint=_KEY_HINT)


def parse_id(text: str, problem: type[NotFound], what: str) -> UUID:
    """The id in a path; what is no id is simply not found."""
    try:
        return UUID(text)
    except ValueError:
        raise problem(
            f"There is no {what} {text[:100]!r} in this app.", hint="Ids are UUIDs; check the path."
        ) from None


def parse_cursor(text: str | None) -> UUID | None:
    """A cursor of an earlier page.

    Raises:
        BadRequest: it is none of ours.
    """
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise BadRequest(
            "The cursor is not one that was given out.", hint="Pass nextCursor of the last page as it came."
        ) from None
