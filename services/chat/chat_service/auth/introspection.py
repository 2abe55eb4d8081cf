"""Who a credential is, for the other services: what `POST /internal/introspect` answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chat_service.auth.principal import Principal
from chat_service.resources import Resources
from chatsdk_runtime.errors import InvalidInput


async def introspect(resources: Resources, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Judge `{"apiKey": ...}` or `{"token": ...}`, afresh: the asking service remembers the answer for its own while.

    Raises:
        InvalidInput: neither is given, or both.
    """
    key, token = asked.get("apiKey"), asked.get("token")
    if isinstance(key, str) and token is None:
        principal = await resources.tokens.verify_key(key, fresh=True)
    elif isinstance(token, str) and key is None:
        principal = await resources.tokens.verify_token(token, fresh=True)
    else:
        raise InvalidInput('Give {"apiKey": "..."} or {"token": "..."}.')
    return {"active": False} if principal is None else _told(principal)


def _told(principal: Principal) -> dict[str, Any]:
    told: dict[str, Any] = {
        "active": True,
        "kind": "api_key" if principal.kind == "server" else "user",
        "appId": principal.app_id,
        "scopes": sorted(principal.scopes),
    }
    if principal.key_id is not None:
        told["keyId"] = principal.key_id
    if principal.user_id is not None:
        told["userId"] = principal.user_id
    return told
