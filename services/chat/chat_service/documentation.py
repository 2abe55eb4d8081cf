"""What the OpenAPI document says of this service's routes beyond what they say themselves.

A new route is a row in `documented_replies`, and perhaps one in `documented_examples`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute

from chat_service.apps.api import require_operator
from chat_service.auth.credentials import Guard
from chat_service.documented_examples import BODIES, BY_NAME
from chat_service.documented_replies import REPLIES
from chatsdk_runtime.openapi import ServiceDocument, document

Json = dict[str, Any]

DESCRIPTION: Final = """\
Chat: apps, users, channels, messages and what belongs to them. Every change is an event, see the AsyncAPI document.

Errors have one shape (`error.code` for programs, `error.message` and `error.hint` for people) and a request id.
Lists have `nextCursor` and `hasMore`. A change with an `Idempotency-Key` is made once. Fields that are not known
are refused in requests; clients ignore those that they do not know in answers. Sockets are at `/ws`.
"""

_UPLOAD: Final = "/api/uploads/{upload_id}"

# What a legal hold may refuse.
_HELD: Final = (
    "DELETE /api/channels/{channel_id}",
    "POST /api/channels/{channel_id}/truncate",
    "DELETE /api/channels/{channel_id}/messages/{message_id}",
    "DELETE /api/channels/{channel_id}/messages/{message_id}/purge",
    "POST /api/users/{user_id}/erase",
    "POST /api/sync/ops",
    f"DELETE {_UPLOAD}",
)

# Refusals that do not follow from what a route takes.
FURTHER: Final[Mapping[str, tuple[int, ...]]] = {
    "GET /api/mentions/search": (404,),
    "GET /api/moderation/hook": (404,),
    "GET /api/channels/{channel_id}/messages/{message_id}/ops": (409,),
    "POST /api/uploads/direct": (415,),
    f"PUT {_UPLOAD}/data": (403, 415),
    f"POST {_UPLOAD}/confirm": (400, 413, 415),
    f"GET {_UPLOAD}/content": (401, 403),
    f"HEAD {_UPLOAD}/content": (401, 403),
    f"GET {_UPLOAD}/thumbnail": (401, 403),
    f"HEAD {_UPLOAD}/thumbnail": (401, 403),
    "POST /api/import": (413,),
    "GET /api/exports/{export_id}/content": (404, 409, 410),
    **dict.fromkeys(_HELD, (423,)),
    # A channel that is named beside the path may not be there.
    "GET /api/moderation/bans": (404,),
    "GET /api/audit": (404,),
    "GET /api/search": (400, 404),
    "GET /api/search/suggestions": (400, 404),
}

# The address is the credential, or calling again changes nothing.
KEYLESS: Final = frozenset(
    {
        f"PUT {_UPLOAD}/data",
        f"POST {_UPLOAD}/link",
        "POST /api/sync/ops",
        "POST /api/presence/heartbeat",
        "POST /api/presence/query",
        "POST /api/channels/{channel_id}/typing",
    }
)

TAGS: Final = {
    "discovery": "Where the services are.",
    "admin": "Apps and their keys, for operators.",
    "app": "An app's own keys and settings.",
    "auth": "Tokens of users.",
    "users": "Users: made by the app's servers, seen by each other.",
    "channels": "Channels: where people talk.",
    "members": "Who is in a channel, and as what.",
    "member state": "What a member keeps about a channel: muted, starred, hidden.",
    "messages": "Messages: send, read, edit, delete.",
    "reactions": "Reactions to messages.",
    "pins": "Pinned messages.",
    "saved": "Messages that a user keeps.",
    "read state": "How far members have read.",
    "threads": "Replies to a message, and one's own threads.",
    "mentions": "Where one is mentioned, and whom one may mention.",
    "presence": "Who is there, and who types.",
    "polls": "Polls and votes.",
    "search": "Full-text search.",
    "uploads": "Files.",
    "moderation": "Reports, bans, what is screened before it is sent, and what is done about all that.",
    "audit": "Who did what to whom.",
    "lifecycle": "Erasing and exporting what there is of somebody, importing, holding.",
    "workspaces": "Groups of channels with members of their own.",
    "sync": "Catching up, and operations made without a connection.",
}

_LIMIT_HEADERS: Final[Json] = {
    "X-RateLimit-Limit": {
        "description": "Most calls at once, in the bucket of which the smallest part is left.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "X-RateLimit-Remaining": {
        "description": "About how many calls are left in it.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-RateLimit-Reset": {
        "description": "When it is full again if nothing is called, in seconds since 1970.",
        "schema": {"type": "integer", "minimum": 0},
    },
}

_SERVER: Final[Json] = {"ApiKey": []}
_USER: Final[Json] = {"UserToken": []}
_BY: Final[Mapping[str, list[Json]]] = {
    "server": [_SERVER],
    "user": [_USER],
    "either": [_SERVER, _USER],
}


def describe(app: FastAPI) -> None:
    """Have the public application's document be whole."""
    document(
        app,
        ServiceDocument(
            package="chat_service",
            description=DESCRIPTION,
            replies=REPLIES,
            security_schemes={
                "ApiKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-API-Key",
                    "description": "Of an app's server: everything in the app, as far as the key's scopes go.",
                },
                "UserToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "Of one user: minted by the app's server with POST /api/auth/tokens.",
                },
                "AdminToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The operator's: the value of CHATSDK_ADMIN_TOKEN.",
                },
            },
            security_of=security_of,
            tags=TAGS,
            by_name=BY_NAME,
            further=FURTHER,
            bodies=BODIES,
            keyless=KEYLESS,
            far_reaching=frozenset({"limits", "holds", "moderation", "screening", "review"}),
            reply_headers=_LIMIT_HEADERS,
        ),
    )


def security_of(route: APIRoute) -> list[Json]:
    """Who may call a route: read off the guard that it depends on. `{}` is nobody in particular."""
    calls = [one.call for one in route.dependant.dependencies]
    if require_operator in calls:
        return [{"AdminToken": []}]
    for call in calls:
        if isinstance(call, Guard):
            return _BY[call.by]
    # A link to a file is a credential itself; without one its reader shows another.
    return [{}, _SERVER, _USER] if route.path_format.endswith(("/content", "/thumbnail")) else []
