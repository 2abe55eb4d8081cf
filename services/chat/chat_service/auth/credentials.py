"""Dependencies of every public route: who calls, with which scope, or why not.

    async def route(caller: ChatReader): ...

Each route names one; tests/contract/test_every_route_is_guarded.py finds the route that does not.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, Request

from chat_service.auth.principal import Principal
from chat_service.doors import resources_of
from chat_service.limits.calls import action_of, charge_call
from chatsdk_contracts.scopes import Scope, allows
from chatsdk_runtime.errors import Forbidden, ScopeMissing, Unauthorized

Kind = Literal["server", "user", "either"]

_CHALLENGE = {"WWW-Authenticate": "Bearer"}


class Guard:
    """Lets in who is of the right kind and may do what `scope` names (None: whatever the scopes).

    `counted`: as a call under the caller's limits; else the use case counts what it does.
    """

    def __init__(self, scope: Scope | None, by: Kind, *, counted: bool = True) -> None:
        self.scope = scope
        self.by = by
        self.counted = counted

    async def __call__(self, request: Request) -> Principal:
        """The caller.

        Raises:
            Unauthorized: no credential, or one that is not valid.
            Forbidden: a valid one, of the other kind.
            ScopeMissing: one that is limited to other scopes.
            RateLimited: one that has called too often.
        """
        principal = await _FINDERS[self.by](request)
        if self.scope is not None and not allows(principal.scopes, self.scope):
            raise ScopeMissing(self.scope)
        if self.counted:
            await charge_call(request, principal, action_of(self.scope, request.method))
        return principal


def requires(scope: Scope | None, *, by: Kind = "either", counted: bool = True) -> Any:
    """The dependency on a caller with this scope: an API key (`server`), a user's token (`user`), or either."""
    return Depends(Guard(scope, by, counted=counted))


async def _server(request: Request) -> Principal:
    """The app's server, by X-API-Key; a valid user token is known and refused."""
    principal = await _by_key(request)
    if principal is not None:
        return principal
    if await _by_token(request) is not None:
        raise Forbidden(
            "A user token may not do this.", hint="Call from the app's server with its X-API-Key."
        )
    raise _missing("X-API-Key")


async def _user(request: Request) -> Principal:
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


async def _either(request: Request) -> Principal:
    """Either: an API key if one is sent, else a token."""
    principal = await _by_key(request) or await _by_token(request)
    if principal is None:
        raise _missing("X-API-Key or Authorization: Bearer")
    return principal


_FINDERS = {"server": _server, "user": _user, "either": _either}

ChatReader = Annotated[Principal, requires("chat:read")]
ChatWriter = Annotated[Principal, requires("chat:write")]
MessageSender = Annotated[Principal, requires("chat:write", counted=False)]
UploadWriter = Annotated[Principal, requires("upload:write")]
Searcher = Annotated[Principal, requires("search:read")]
TypingWriter = Annotated[Principal, requires("typing:write")]
TypingUser = Annotated[Principal, requires("typing:write", by="user")]
ReactionWriter = Annotated[Principal, requires("reaction:write")]
ChannelMaker = Annotated[Principal, requires("channel:create")]
ServerChannelMaker = Annotated[Principal, requires("channel:create", by="server")]
WorkspaceManager = Annotated[Principal, requires("workspaces:manage")]
ReadingUser = Annotated[Principal, requires("chat:read", by="user")]
WritingUser = Annotated[Principal, requires("chat:write", by="user")]
UserManager = Annotated[Principal, requires("users:manage", by="server")]
Exporter = Annotated[Principal, requires("export:create", by="server")]
ChannelExporter = Annotated[Principal, requires("export:create")]
Importer = Annotated[Principal, requires("import:create", by="server")]
TokenMinter = Annotated[Principal, requires("tokens:mint", by="server")]
Moderator = Annotated[Principal, requires("moderation:manage", by="server")]
KeyManager = Annotated[Principal, requires("keys:manage", by="server")]

# Whatever the scopes, for what anybody of that kind may call.
CurrentServer = Annotated[Principal, requires(None, by="server")]
CurrentUser = Annotated[Principal, requires(None, by="user")]
CurrentCaller = Annotated[Principal, requires(None)]


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
    """Name the caller in the request's log line, and its key in the audit log."""
    state = request.scope["state"]
    state["app_id"] = principal.app_id
    if principal.user_id is not None:
        state["user_id"] = principal.user_id
    state["key_id"] = principal.key_id
    return principal


def _missing(what: str) -> Unauthorized:
    return Unauthorized(f"Credentials are missing: send {what}.", headers=_CHALLENGE)
