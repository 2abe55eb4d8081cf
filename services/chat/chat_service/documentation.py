"""What the OpenAPI document says of this service's routes beyond what they say themselves. A new route is a row here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute

from chat_service.apps import views as apps
from chat_service.apps.api import require_operator
from chat_service.apps.settings_model import AppSettings
from chat_service.auth.actions import MintedToken, RevokedNow
from chat_service.auth.credentials import Guard
from chat_service.channels import views as channels
from chat_service.discovery import Discovered
from chat_service.messages import views as messages
from chat_service.messages.history import HistoryPage
from chat_service.polls.views import PollResults, PollView
from chat_service.reactions.actions import ReactionPage
from chat_service.reactions.rules import Reaction
from chat_service.reads import views as reads
from chat_service.saved.actions import Saved, SavedPage
from chat_service.search.views import SearchPage, Suggestions
from chat_service.uploads import views as uploads
from chat_service.users import actions as users
from chat_service.users.blocking import Block, BlockedPage
from chat_service.users.rules import EnsuredUser, EnsuredUsers, OwnUser
from chat_service.workspaces import views as workspaces
from chatsdk_contracts.channels import Channel, Left, Member, TruncatedChannel
from chatsdk_contracts.messages import Message
from chatsdk_contracts.polls import Poll
from chatsdk_contracts.sync import OpsAnswer, SyncPage
from chatsdk_contracts.uploads import Upload
from chatsdk_contracts.users import User, UserState
from chatsdk_contracts.workspaces import Workspace, WorkspaceLeft, WorkspaceMember
from chatsdk_runtime.openapi import Replies, ServiceDocument, document

Json = dict[str, Any]

DESCRIPTION: Final = """\
Chat: apps, users, channels, messages and what belongs to them. Every change is an event, see the AsyncAPI document.

Errors have one shape (`error.code` for programs, `error.message` and `error.hint` for people) and a request id.
Lists have `nextCursor` and `hasMore`. A change with an `Idempotency-Key` is made once. Fields that are not known
are refused in requests; clients ignore those that they do not know in answers. Sockets are at `/ws`.
"""

_CHANNEL: Final = "/api/channels/{channel_id}"
_MESSAGE: Final = f"{_CHANNEL}/messages/{{message_id}}"
_WORKSPACE: Final = "/api/workspaces/{workspace_id}"
_UPLOAD: Final = "/api/uploads/{upload_id}"

REPLIES: Final[Mapping[str, Replies]] = {
    "GET /.well-known/chatsdk": {200: Discovered},
    "POST /admin/apps": {201: apps.NewApp},
    "GET /admin/apps": {200: apps.AppPage},
    "POST /admin/apps/{app_id}/keys": {201: apps.NewApiKey},
    "GET /admin/apps/{app_id}/keys": {200: apps.ApiKeyPage},
    "DELETE /admin/apps/{app_id}/keys/{key_id}": {200: apps.ApiKey},
    "GET /api/app/keys": {200: apps.ApiKeyPage},
    "POST /api/app/keys": {201: apps.NewApiKey},
    "DELETE /api/app/keys/{key_id}": {200: apps.ApiKey},
    "GET /api/app/settings": {200: AppSettings},
    "PATCH /api/app/settings": {200: AppSettings},
    "POST /api/auth/tokens": {201: MintedToken},
    "POST /api/auth/tokens/revoke": {200: RevokedNow},
    "POST /api/users/ensure": {200: EnsuredUser, 201: EnsuredUser},
    "POST /api/users/bulk-ensure": {200: EnsuredUsers},
    "POST /api/users/sync": {200: EnsuredUsers},
    "GET /api/users": {200: users.FoundUsers},
    "GET /api/users/me": {200: OwnUser},
    "PATCH /api/users/me": {200: OwnUser},
    "GET /api/users/me/blocked": {200: BlockedPage},
    "GET /api/users/me/saved": {200: SavedPage},
    "GET /api/users/{user_id}": {200: User},
    "PUT /api/users/{user_id}": {200: OwnUser},
    "PATCH /api/users/{user_id}": {200: OwnUser},
    "DELETE /api/users/{user_id}": {200: OwnUser},
    "POST /api/users/{user_id}/deactivate": {200: OwnUser},
    "POST /api/users/{user_id}/reactivate": {200: OwnUser},
    "POST /api/users/{user_id}/block": {200: Block},
    "DELETE /api/users/{user_id}/block": {200: Block},
    "POST /api/channels": {200: Channel, 201: Channel},
    "GET /api/channels": {200: channels.ChannelPage},
    "GET /api/channels/discover": {200: channels.OpenChannelPage},
    "POST /api/channels/dm/ensure": {200: Channel, 201: Channel},
    "POST /api/channels/group/ensure": {200: Channel, 201: Channel},
    "GET /api/channels/unread-count": {200: reads.UnreadCount},
    f"GET {_CHANNEL}": {200: channels.ChannelWithMembers},
    f"PATCH {_CHANNEL}": {200: Channel},
    f"DELETE {_CHANNEL}": {200: Channel},
    f"POST {_CHANNEL}/truncate": {200: TruncatedChannel},
    f"POST {_CHANNEL}/join": {200: Member, 201: Member},
    f"POST {_CHANNEL}/leave": {200: Left},
    f"GET {_CHANNEL}/members": {200: channels.MemberPage},
    f"POST {_CHANNEL}/members": {200: channels.Added},
    f"PATCH {_CHANNEL}/members/{{user_id}}": {200: Member},
    f"DELETE {_CHANNEL}/members/{{user_id}}": {200: Left},
    f"PATCH {_CHANNEL}/mute": {200: UserState},
    f"PATCH {_CHANNEL}/star": {200: UserState},
    f"PATCH {_CHANNEL}/hide": {200: UserState},
    f"POST {_CHANNEL}/read": {200: reads.Marker},
    f"POST {_CHANNEL}/unread": {200: reads.Marker},
    f"GET {_CHANNEL}/receipts/read-status": {200: reads.ReaderPage},
    f"GET {_CHANNEL}/messages": {200: messages.MessagePage},
    f"POST {_CHANNEL}/messages": {200: messages.SentMessage, 201: messages.SentMessage},
    f"GET {_MESSAGE}": {200: messages.ViewedMessage},
    f"PATCH {_MESSAGE}": {200: Message},
    f"DELETE {_MESSAGE}": {200: Message},
    f"POST {_MESSAGE}/undelete": {200: Message},
    f"DELETE {_MESSAGE}/purge": {200: Message},
    f"GET {_MESSAGE}/history": {200: HistoryPage},
    f"GET {_MESSAGE}/reactions": {200: ReactionPage},
    f"POST {_MESSAGE}/reactions": {200: Reaction, 201: Reaction},
    f"DELETE {_MESSAGE}/reactions/{{reaction_type}}": {200: Reaction},
    f"POST {_MESSAGE}/pin": {200: Message},
    f"DELETE {_MESSAGE}/pin": {200: Message},
    f"GET {_CHANNEL}/pins": {200: messages.PinPage},
    f"GET {_CHANNEL}/messages/pins": {200: messages.PinPage},
    f"POST {_MESSAGE}/save": {200: Saved, 201: Saved},
    f"DELETE {_MESSAGE}/save": {200: Saved},
    f"POST {_MESSAGE}/polls": {201: Poll},
    f"POST {_CHANNEL}/polls": {200: Poll, 201: Poll},
    "GET /api/polls/{poll_id}": {200: PollView},
    "GET /api/polls/{poll_id}/results": {200: PollResults},
    "POST /api/polls/{poll_id}/vote": {200: PollView},
    "DELETE /api/polls/{poll_id}/vote": {200: PollView},
    "POST /api/polls/{poll_id}/close": {200: PollView},
    "GET /api/search": {200: SearchPage},
    f"GET {_CHANNEL}/search": {200: SearchPage},
    "GET /api/search/suggestions": {200: Suggestions},
    "GET /api/sync": {200: SyncPage},
    "POST /api/sync/ops": {200: OpsAnswer},
    "POST /api/uploads/direct": {201: Upload},
    "POST /api/uploads/presigned": {201: uploads.PresignedUpload},
    f"POST {_UPLOAD}/confirm": {200: Upload},
    f"DELETE {_UPLOAD}": {200: Upload},
    f"GET {_UPLOAD}": {200: Upload},
    f"POST {_UPLOAD}/link": {200: uploads.SignedLink},
    f"GET {_CHANNEL}/uploads": {200: uploads.UploadPage},
    "POST /api/workspaces": {201: workspaces.ViewedWorkspace},
    "GET /api/workspaces": {200: workspaces.WorkspacePage},
    f"GET {_WORKSPACE}": {200: workspaces.ViewedWorkspace},
    f"PATCH {_WORKSPACE}": {200: workspaces.ViewedWorkspace},
    f"PUT {_WORKSPACE}": {200: workspaces.ViewedWorkspace},
    f"DELETE {_WORKSPACE}": {200: Workspace},
    f"GET {_WORKSPACE}/channels": {200: channels.ChannelPage},
    f"GET {_WORKSPACE}/members": {200: workspaces.WorkspaceMemberPage},
    f"POST {_WORKSPACE}/members": {200: workspaces.AddedToWorkspace},
    f"PATCH {_WORKSPACE}/members/{{user_id}}": {200: WorkspaceMember},
    f"DELETE {_WORKSPACE}/members/{{user_id}}": {200: WorkspaceLeft},
    f"POST {_WORKSPACE}/invites": {201: workspaces.SentInvites},
    f"DELETE {_WORKSPACE}/invites/{{invite_id}}": {200: workspaces.RevokedInvite},
    "GET /api/workspaces/invites/{token}": {200: workspaces.ShownInvite},
    "POST /api/workspaces/invites/{token}/accept": {200: WorkspaceMember, 201: WorkspaceMember},
}

# Refusals that do not follow from what a route takes.
FURTHER: Final[Mapping[str, tuple[int, ...]]] = {
    "POST /api/uploads/direct": (415,),
    f"PUT {_UPLOAD}/data": (403, 415),
    f"POST {_UPLOAD}/confirm": (400, 413, 415),
    f"GET {_UPLOAD}/content": (401, 403),
    f"HEAD {_UPLOAD}/content": (401, 403),
    f"GET {_UPLOAD}/thumbnail": (401, 403),
    f"HEAD {_UPLOAD}/thumbnail": (401, 403),
    "GET /api/search": (400, 404),
    "GET /api/search/suggestions": (400, 404),
}

# The address is the credential, or calling again changes nothing.
KEYLESS: Final = frozenset({f"PUT {_UPLOAD}/data", f"POST {_UPLOAD}/link", "POST /api/sync/ops"})

_ID: Final = "01890a5d-ac96-774b-bcce-b302099a8057"
_POLL: Final[Json] = {
    "question": "Lunch?",
    "options": [{"id": "y", "text": "Yes"}, {"id": "n", "text": "No"}],
}
BODIES: Final[Mapping[str, Json]] = {
    "POST /api/app/keys": {"name": "moderation", "scopes": ["chat:read", "chat:write"]},
    "PATCH /api/app/settings": {"rateLimits": {"send": {"user": {"perSecond": 5, "burst": 20}}}},
    "POST /api/auth/tokens": {"userId": "ann", "expiresInS": 3_600},
    "POST /api/auth/tokens/revoke": {"userId": "ann"},
    "POST /api/users/ensure": {"userId": "ann", "name": "Ann", "custom": {"team": "blue"}},
    "POST /api/users/bulk-ensure": {"users": [{"userId": "ann", "name": "Ann"}, {"userId": "bob"}]},
    "POST /api/users/sync": {"users": [{"userId": "ann", "name": "Ann"}, {"userId": "bob"}]},
    "PATCH /api/users/me": {"name": "Ann"},
    "PUT /api/users/{user_id}": {"name": "Ann", "email": "ann@example.com"},
    "PATCH /api/users/{user_id}": {"name": "Ann", "email": "ann@example.com"},
    "POST /api/channels": {"type": "group", "name": "Lunch", "memberIds": ["bob"]},
    "POST /api/channels/dm/ensure": {"requesterUserId": "ann", "peerUserId": "bob"},
    "POST /api/channels/group/ensure": {
        "externalId": "order-7",
        "name": "Order 7",
        "memberIds": ["ann", "bob"],
    },
    f"PATCH {_CHANNEL}": {"name": "Lunch", "config": {"slowModeS": 10}},
    f"POST {_CHANNEL}/truncate": {"beforeSeq": 100},
    f"POST {_CHANNEL}/members": {"userIds": ["bob", "cleo"]},
    f"PATCH {_CHANNEL}/mute": {"muted": True, "untilS": 3_600},
    f"POST {_CHANNEL}/read": {"seq": 7},
    f"POST {_CHANNEL}/unread": {"seq": 7},
    f"POST {_CHANNEL}/messages": {"text": "Hello!", "clientMsgId": "phone-1"},
    f"PATCH {_MESSAGE}": {"text": "Hello, everybody!", "baseVersion": 1},
    f"POST {_MESSAGE}/reactions": {"type": "👍"},
    f"POST {_MESSAGE}/polls": _POLL,
    f"POST {_CHANNEL}/polls": _POLL,
    "POST /api/polls/{poll_id}/vote": {"optionIds": ["y"]},
    "POST /api/sync/ops": {
        "clientId": "phone",
        "channelId": _ID,
        "ops": [
            {"opId": _ID, "laneSeq": 1, "kind": "message.send", "message": {"id": _ID, "text": "Hello!"}}
        ],
    },
    "POST /api/uploads/presigned": {"filename": "cat.png", "contentType": "image/png", "size": 52_000},
    f"POST {_UPLOAD}/link": {"expiresInS": 600},
    "POST /api/workspaces": {"name": "Kitchen", "type": "team"},
    f"POST {_WORKSPACE}/members": {"userIds": ["bob"]},
    f"POST {_WORKSPACE}/invites": {"emails": ["bob@example.com"], "message": "Join us"},
}

BY_NAME: Final[Mapping[str, Any]] = {
    "userId": "ann",
    "createdBy": "ann",
    "createdById": "ann",
    "invitedBy": "ann",
    "actorId": "ann",
    "name": "Ann",
    "text": "Hello!",
    "role": "member",
    "email": "ann@example.com",
    "image": "https://example.com/ann.png",
    "url": "https://example.com/cat.png",
    "clientMsgId": "phone-1",
    "seq": 7,
    "cv": 12,
    "cvFrom": 12,
    "version": 1,
    "lastSeq": 7,
    "maxSeq": 7,
    "question": "Lunch?",
    "word": "hello",
    "apiKey": "chatsdk_0123456789abcdef0123456789abcdef01234567",
    "token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl",
    "filename": "cat.png",
    "contentType": "image/png",
    "size": 52_000,
    "chatUrl": "https://chat.example.com",
    "webhooksUrl": "https://webhooks.example.com",
    "metricsUrl": "https://metrics.example.com",
} | dict.fromkeys(
    ("id", "appId", "channelId", "messageId", "workspaceId", "pollId", "uploadId", "inviteId", "opId", "jti"),
    _ID,
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
    "polls": "Polls and votes.",
    "search": "Full-text search.",
    "uploads": "Files.",
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
