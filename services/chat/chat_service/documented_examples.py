"""Examples in the OpenAPI document: bodies that say more than what is required, and what stands in which field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]

_CHANNEL: Final = "/api/channels/{channel_id}"
_MESSAGE: Final = f"{_CHANNEL}/messages/{{message_id}}"
_WORKSPACE: Final = "/api/workspaces/{workspace_id}"
_UPLOAD: Final = "/api/uploads/{upload_id}"

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
    f"POST {_MESSAGE}/ops": {
        "clientOpId": "phone-3",
        "baseVersion": 1,
        "ops": [{"retain": 5}, {"insert": " there"}],
    },
    f"POST {_MESSAGE}/thread": {"text": "Me too!", "clientMsgId": "phone-2"},
    f"POST {_MESSAGE}/thread/read": {"threadSeq": 1},
    f"POST {_MESSAGE}/polls": _POLL,
    f"POST {_CHANNEL}/polls": _POLL,
    "POST /api/polls/{poll_id}/vote": {"optionIds": ["y"]},
    "PUT /api/presence": {"status": "away"},
    "POST /api/presence/query": {"userIds": ["ann", "bob"]},
    f"POST {_CHANNEL}/typing": {"typing": True},
    "POST /api/sync/ops": {
        "clientId": "phone",
        "channelId": _ID,
        "ops": [
            {"opId": _ID, "laneSeq": 1, "kind": "message.send", "message": {"id": _ID, "text": "Hello!"}}
        ],
    },
    "POST /api/uploads/presigned": {"filename": "cat.png", "contentType": "image/png", "size": 52_000},
    f"POST {_UPLOAD}/link": {"expiresInS": 600},
    "POST /api/users/{user_id}/erase": {"messages": "redact"},
    f"POST {_MESSAGE}/report": {"reason": "spam", "details": "The same again and again."},
    "POST /api/moderation/{message_id}/report": {"reason": "spam"},
    "PUT /api/moderation/reports/{report_id}/review": {"action": "dismiss", "adminNotes": "Harmless."},
    f"PUT {_CHANNEL}/reports/{{report_id}}/review": {"action": "dismiss"},
    "POST /api/moderation/bans": {"userId": "bob", "durationS": 3_600, "reason": "spam"},
    f"POST {_CHANNEL}/bans": {"userId": "bob", "durationS": 3_600},
    "PUT /api/moderation/word-list": {"entries": [{"phrase": "spam", "action": "mask"}]},
    "POST /api/moderation/word-list/entries": {"phrase": "buy now", "match": "substring", "action": "hold"},
    "PATCH /api/moderation/word-list/entries/{entry_id}": {"action": "reject"},
    "PUT /api/moderation/hook": {
        "url": "https://example.com/before-send",
        "timeoutMs": 500,
        "onFailureByType": {"team": "closed"},
    },
    "POST /api/moderation/hook/rotate-secret": {"overlapS": 3_600},
    "POST /api/legal-holds": {"userId": "ann", "reason": "case 7"},
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
