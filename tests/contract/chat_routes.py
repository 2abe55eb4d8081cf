"""The table of chat's public routes: who may call each, with which scope, why, and what a stranger's ids lead to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from chatsdk_contracts.scopes import Scope

By = Literal["anybody", "operator", "server", "user", "either"]


@dataclass(frozen=True)
class Door:
    """Who may call a route, and why; a body that is well-formed; what another tenant's ids are answered with."""

    by: By
    scope: Scope | None
    reason: str
    body: Any = None
    foreign: int | None = None
    query: str = ""


MINE, OTHERS = "one's own", "what others wrote"
POLL = {"question": "?", "options": [{"id": "y", "text": "y"}, {"id": "n", "text": "n"}]}
WORD_LIST = "/api/moderation/word-list"
ENTRY = {"phrase": "psst", "action": "mask"}
WORKSPACE = "/api/workspaces/{workspace_id}"
MESSAGE = "/api/channels/{channel_id}/messages/{message_id}"
ROUTES: dict[tuple[str, str], Door] = {
    ("GET", "/openapi.json"): Door("anybody", None, "documentation"),
    ("GET", "/.well-known/chatsdk"): Door("anybody", None, "asked before there is a credential"),
    # Operators, by the admin token.
    ("POST", "/admin/apps"): Door("operator", None, "makes tenants", {"name": "x"}),
    ("GET", "/admin/apps"): Door("operator", None, "shows tenants"),
    ("POST", "/admin/apps/{app_id}/keys"): Door("operator", None, "gives keys", {}),
    ("GET", "/admin/apps/{app_id}/keys"): Door("operator", None, "shows keys"),
    ("DELETE", "/admin/apps/{app_id}/keys/{key_id}"): Door("operator", None, "takes keys"),
    # An app's servers.
    ("GET", "/api/app/keys"): Door("server", "keys:manage", "shows keys"),
    ("POST", "/api/app/keys"): Door("server", "keys:manage", "gives keys", {}),
    ("DELETE", "/api/app/keys/{key_id}"): Door("server", "keys:manage", "takes keys", foreign=404),
    ("GET", "/api/app/settings"): Door("server", "keys:manage", "the owner's choice"),
    ("PATCH", "/api/app/settings"): Door("server", "keys:manage", "the owner's choice", {}),
    ("POST", "/api/auth/tokens"): Door("server", "tokens:mint", "says who is who", {"userId": "{user}"}, 404),
    ("POST", "/api/auth/tokens/revoke"): Door(
        "server", "tokens:mint", "takes tokens", {"userId": "{user}"}, 404
    ),
    ("POST", "/api/users/ensure"): Door("server", "users:manage", "makes users", {"userId": "x"}),
    ("POST", "/api/users/bulk-ensure"): Door(
        "server", "users:manage", "makes users", {"users": [{"userId": "x"}]}
    ),
    ("POST", "/api/users/sync"): Door("server", "users:manage", "makes users", {"users": [{"userId": "x"}]}),
    ("PUT", "/api/users/{user_id:path}"): Door("server", "users:manage", "others' profiles", {}, 404),
    ("PATCH", "/api/users/{user_id:path}"): Door("server", "users:manage", "others' profiles", {}, 404),
    ("DELETE", "/api/users/{user_id:path}"): Door("server", "users:manage", "ends users", foreign=404),
    ("POST", "/api/users/{user_id:path}/deactivate"): Door(
        "server", "users:manage", "ends users", foreign=404
    ),
    ("POST", "/api/users/{user_id:path}/reactivate"): Door(
        "server", "users:manage", "brings users back", foreign=404
    ),
    ("POST", "/api/users/{user_id:path}/erase"): Door(
        "server", "users:manage", "ends users for good", {}, 404
    ),
    ("GET", "/api/erasures/{erasure_id}"): Door(
        "server", "users:manage", "what is left of whom", foreign=404
    ),
    ("POST", "/api/users/{user_id:path}/export"): Door(
        "server", "export:create", "all of a user", foreign=404
    ),
    ("POST", "/api/legal-holds"): Door(
        "server", "moderation:manage", "forbids deleting", {"userId": "{user}"}, 404
    ),
    ("GET", "/api/legal-holds"): Door("server", "moderation:manage", "what may not be deleted"),
    ("DELETE", "/api/legal-holds/{hold_id}"): Door(
        "server", "moderation:manage", "allows deleting", foreign=404
    ),
    ("POST", "/api/import"): Door("server", "import:create", "writes in everybody's name", {}),
    ("GET", "/api/imports/{import_id}"): Door("server", "import:create", "what was written", foreign=404),
    # Users alone.
    ("POST", "/api/users/me/export"): Door("user", "chat:read", MINE),
    ("GET", "/api/users/me"): Door("user", "chat:read", MINE),
    ("PATCH", "/api/users/me"): Door("user", "chat:write", MINE, {}),
    ("GET", "/api/users/me/blocked"): Door("user", "chat:read", MINE),
    ("POST", "/api/users/{user_id:path}/block"): Door("user", "chat:write", MINE, foreign=404),
    ("DELETE", "/api/users/{user_id:path}/block"): Door("user", "chat:write", MINE, foreign=404),
    ("GET", "/api/users/me/muted"): Door("user", "chat:read", MINE),
    ("POST", "/api/users/{user_id:path}/mute"): Door("user", "chat:write", MINE, foreign=404),
    ("DELETE", "/api/users/{user_id:path}/mute"): Door("user", "chat:write", MINE, foreign=404),
    # Moderation: the app's servers everywhere, and users where they are moderators.
    ("POST", "/api/moderation/bans"): Door(
        "server", "moderation:manage", "takes rights", {"userId": "{user}"}, 404
    ),
    ("GET", "/api/moderation/bans"): Door("server", "moderation:manage", "who is banned"),
    ("DELETE", "/api/moderation/bans/{user_id:path}"): Door(
        "server", "moderation:manage", "gives rights back", foreign=404
    ),
    ("GET", "/api/moderation/reports"): Door("server", "moderation:manage", "who reported whom"),
    ("GET", "/api/moderation/reports/{report_id}"): Door(
        "server", "moderation:manage", "who reported whom", foreign=404
    ),
    ("PUT", "/api/moderation/reports/{report_id}/review"): Door(
        "server", "moderation:manage", "judges", {"action": "dismiss"}, 404
    ),
    ("GET", "/api/audit"): Door("server", "moderation:manage", "who did what"),
    ("POST", "/api/moderation/{message_id}/report"): Door(
        "user", "chat:write", "what one may see", {"reason": "spam"}, 404
    ),
    ("POST", f"{MESSAGE}/report"): Door("user", "chat:write", "what one may see", {"reason": "spam"}, 404),
    ("POST", "/api/channels/{channel_id}/bans"): Door(
        "user", "chat:write", "by role", {"userId": "{user}"}, 404
    ),
    ("GET", "/api/channels/{channel_id}/bans"): Door("user", "chat:read", "by role", foreign=404),
    ("DELETE", "/api/channels/{channel_id}/bans/{user_id:path}"): Door(
        "user", "chat:write", "by role", foreign=404
    ),
    ("GET", "/api/channels/{channel_id}/reports"): Door("user", "chat:read", "by role", foreign=404),
    ("GET", "/api/channels/{channel_id}/reports/{report_id}"): Door(
        "user", "chat:read", "by role", foreign=404
    ),
    ("PUT", "/api/channels/{channel_id}/reports/{report_id}/review"): Door(
        "user", "chat:write", "by role", {"action": "dismiss"}, 404
    ),
    ("POST", "/api/channels/{channel_id}/join"): Door("user", "chat:write", MINE, foreign=404),
    ("POST", "/api/channels/{channel_id}/leave"): Door("user", "chat:write", MINE, foreign=404),
    # Both: users as far as their role in the channel goes.
    ("GET", "/api/users"): Door("either", "chat:read", "whom the settings let one find"),
    ("GET", "/api/users/{user_id:path}"): Door("either", "chat:read", "public fields", foreign=404),
    ("POST", "/api/channels"): Door(
        "either", "channel:create", "a place to talk", {"type": "group", "memberIds": ["{user}"]}, 422
    ),
    ("GET", "/api/channels"): Door("either", "chat:read", "one's own, or all of the app"),
    ("GET", "/api/channels/{channel_id}"): Door("either", "chat:read", OTHERS, foreign=404),
    ("PATCH", "/api/channels/{channel_id}"): Door("either", "chat:write", "by role", {"name": "x"}, 404),
    ("DELETE", "/api/channels/{channel_id}"): Door("either", "chat:write", "by role", foreign=404),
    ("GET", "/api/channels/{channel_id}/members"): Door("either", "chat:read", OTHERS, foreign=404),
    ("POST", "/api/channels/{channel_id}/export"): Door(
        "either", "export:create", "its owners'", foreign=404
    ),
    ("GET", "/api/exports/{export_id}"): Door("either", "chat:read", "who asked for it", foreign=404),
    ("GET", "/api/exports/{export_id}/content"): Door("either", "chat:read", "who asked for it", foreign=404),
    ("POST", "/api/channels/{channel_id}/members"): Door(
        "either", "chat:write", "by role", {"userId": "{user}"}, 404
    ),
    ("PATCH", "/api/channels/{channel_id}/members/{user_id:path}"): Door(
        "either", "chat:write", "by role", {"role": "member"}, 404
    ),
    ("DELETE", "/api/channels/{channel_id}/members/{user_id:path}"): Door(
        "either", "chat:write", "by role", foreign=404
    ),
    ("POST", "/api/channels/{channel_id}/messages"): Door(
        "either", "chat:write", "by membership", {"text": "x"}, 404
    ),
    ("GET", "/api/channels/{channel_id}/messages"): Door("either", "chat:read", OTHERS, foreign=404),
    ("GET", "/api/channels/{channel_id}/messages/{message_id}"): Door(
        "either", "chat:read", OTHERS, foreign=404
    ),
    ("PATCH", "/api/channels/{channel_id}/messages/{message_id}"): Door(
        "either", "chat:write", "by authorship", {"text": "x"}, 404
    ),
    ("DELETE", "/api/channels/{channel_id}/messages/{message_id}"): Door(
        "either", "chat:write", "by authorship or role", foreign=404
    ),
    ("POST", f"{MESSAGE}/undelete"): Door("either", "chat:write", "by role", foreign=404),
    ("DELETE", f"{MESSAGE}/purge"): Door("either", "chat:write", "by role", foreign=404),
    ("GET", f"{MESSAGE}/history"): Door("either", "chat:read", OTHERS, foreign=404),
    ("GET", f"{MESSAGE}/ops"): Door("either", "chat:read", OTHERS, foreign=404),
    ("POST", f"{MESSAGE}/ops"): Door(
        "either",
        "chat:write",
        "by membership",
        {"clientOpId": "x", "baseVersion": 1, "ops": [{"insert": "x"}]},
        404,
    ),
    ("POST", f"{MESSAGE}/reactions"): Door("either", "reaction:write", "by membership", {"type": "👍"}, 404),
    ("GET", f"{MESSAGE}/reactions"): Door("either", "chat:read", OTHERS, foreign=404),
    ("DELETE", f"{MESSAGE}/reactions/{{reaction_type}}"): Door(
        "either", "reaction:write", "one's own, or by role", foreign=404
    ),
    ("GET", f"{MESSAGE}/thread"): Door("either", "chat:read", OTHERS, foreign=404),
    ("POST", f"{MESSAGE}/thread"): Door("either", "chat:write", "by membership", {"text": "x"}, 404),
    ("GET", f"{MESSAGE}/thread/participants"): Door("either", "chat:read", OTHERS, foreign=404),
    ("POST", f"{MESSAGE}/thread/follow"): Door("user", "chat:write", MINE, foreign=404),
    ("DELETE", f"{MESSAGE}/thread/follow"): Door("user", "chat:write", MINE, foreign=404),
    ("POST", f"{MESSAGE}/thread/read"): Door("user", "chat:write", MINE, {}, 404),
    ("GET", "/api/threads"): Door("user", "chat:read", MINE),
    ("GET", "/api/threads/unread-count"): Door("user", "chat:read", MINE),
    ("GET", "/api/mentions"): Door("user", "chat:read", MINE),
    ("GET", "/api/mentions/unread-count"): Door("user", "chat:read", MINE),
    ("POST", "/api/mentions/read"): Door("user", "chat:write", MINE, {}),
    ("GET", "/api/mentions/search"): Door(
        "either", "chat:read", OTHERS, foreign=404, query="channelId={channel}"
    ),
    ("POST", f"{MESSAGE}/pin"): Door("either", "chat:write", "by role", foreign=404),
    ("DELETE", f"{MESSAGE}/pin"): Door("either", "chat:write", "by role", foreign=404),
    ("GET", "/api/channels/{channel_id}/pins"): Door("either", "chat:read", OTHERS, foreign=404),
    ("GET", "/api/channels/{channel_id}/messages/pins"): Door("either", "chat:read", OTHERS, foreign=404),
    ("POST", f"{MESSAGE}/save"): Door("user", "chat:write", MINE, {}, 404),
    ("DELETE", f"{MESSAGE}/save"): Door("user", "chat:write", MINE, foreign=404),
    ("GET", "/api/users/me/saved"): Door("user", "chat:read", MINE),
    ("GET", "/api/sync"): Door("user", "chat:read", MINE),
    ("POST", "/api/sync/ops"): Door(
        "user",
        "chat:write",
        "as the plain calls",
        {
            "clientId": "c",
            "channelId": "{channel}",
            "ops": [
                {
                    "opId": "01890a5d-ac96-774b-bcce-b302099a8057",
                    "laneSeq": 1,
                    "kind": "message.delete",
                    "messageId": "01890a5d-ac96-774b-bcce-b302099a8058",
                }
            ],
        },
        404,
    ),
    ("WEBSOCKET", "/ws"): Door("anybody", None, "the first frame brings the token"),
    # Workspaces: their members by role, and the app's servers.
    ("POST", "/api/workspaces"): Door("either", "workspaces:manage", "a place of one's own", {"name": "x"}),
    ("GET", "/api/workspaces"): Door("either", "chat:read", "one's own, or all of the app"),
    ("GET", WORKSPACE): Door("either", "chat:read", OTHERS, foreign=404),
    ("PATCH", WORKSPACE): Door("either", "workspaces:manage", "by role", {"name": "x"}, 404),
    ("PUT", WORKSPACE): Door("either", "workspaces:manage", "by role", {"name": "x"}, 404),
    ("DELETE", WORKSPACE): Door("either", "workspaces:manage", "by role", foreign=404),
    ("GET", f"{WORKSPACE}/channels"): Door("either", "chat:read", OTHERS, foreign=404),
    ("GET", f"{WORKSPACE}/members"): Door("either", "chat:read", OTHERS, foreign=404),
    ("POST", f"{WORKSPACE}/members"): Door(
        "either", "workspaces:manage", "by role", {"userIds": ["{user}"]}, 404
    ),
    ("PATCH", f"{WORKSPACE}/members/{{user_id:path}}"): Door(
        "either", "workspaces:manage", "by role", {"role": "member"}, 404
    ),
    ("DELETE", f"{WORKSPACE}/members/{{user_id:path}}"): Door(
        "either", "workspaces:manage", "by role", foreign=404
    ),
    ("POST", f"{WORKSPACE}/invites"): Door(
        "either", "workspaces:manage", "by role", {"userIds": ["{user}"]}, 404
    ),
    ("DELETE", f"{WORKSPACE}/invites/{{invite_id}}"): Door(
        "either", "workspaces:manage", "by role", foreign=404
    ),
    ("GET", "/api/workspaces/invites/{token}"): Door(
        "either", "chat:read", "who holds the token", foreign=404
    ),
    ("POST", "/api/workspaces/invites/{token}/accept"): Door(
        "user", "chat:write", "who holds the token", foreign=404
    ),
    # Files: the address that takes one, and a link to read one, are credentials themselves.
    ("POST", "/api/uploads/direct"): Door("either", "upload:write", "one's own files"),
    ("POST", "/api/uploads/presigned"): Door(
        "either",
        "upload:write",
        "one's own files",
        {"filename": "x.png", "contentType": "image/png", "size": 1},
    ),
    ("PUT", "/api/uploads/{upload_id}/data"): Door("anybody", None, "who holds the signed address"),
    ("POST", "/api/uploads/{upload_id}/confirm"): Door("either", "upload:write", MINE, foreign=404),
    ("DELETE", "/api/uploads/{upload_id}"): Door(
        "either", "upload:write", "one's own, or by role", foreign=404
    ),
    ("GET", "/api/uploads/{upload_id}"): Door("either", "chat:read", "who sees its messages", foreign=404),
    ("GET", "/api/uploads/{upload_id}/content"): Door("anybody", None, "who holds a link, or may read it"),
    ("GET", "/api/uploads/{upload_id}/thumbnail"): Door("anybody", None, "who holds a link, or may read it"),
    ("POST", "/api/uploads/{upload_id}/link"): Door("either", "chat:read", "who may read it", foreign=404),
    ("GET", "/api/channels/{channel_id}/uploads"): Door("either", "chat:read", OTHERS, foreign=404),
    # Polls and search.
    ("POST", f"{MESSAGE}/polls"): Door("either", "chat:write", "by authorship", POLL, 404),
    ("POST", "/api/channels/{channel_id}/polls"): Door("either", "chat:write", "by membership", POLL, 404),
    ("GET", "/api/polls/{poll_id}"): Door("either", "chat:read", OTHERS, foreign=404),
    ("GET", "/api/polls/{poll_id}/results"): Door("either", "chat:read", OTHERS, foreign=404),
    ("POST", "/api/polls/{poll_id}/vote"): Door(
        "either", "chat:write", "by membership", {"optionIds": ["y"]}, 404
    ),
    ("DELETE", "/api/polls/{poll_id}/vote"): Door(
        "either", "chat:write", MINE, foreign=404, query="userId=ann"
    ),
    ("POST", "/api/polls/{poll_id}/close"): Door(
        "either", "chat:write", "by authorship or role", foreign=404
    ),
    ("GET", "/api/search"): Door("either", "search:read", "one's own channels", query="q=x"),
    ("GET", "/api/channels/{channel_id}/search"): Door(
        "either", "search:read", OTHERS, foreign=404, query="q=x"
    ),
    ("GET", "/api/search/suggestions"): Door("either", "search:read", "one's own channels", query="q=x"),
    # Moderation: the app's servers, and moderators in their channels.
    ("GET", WORD_LIST): Door("server", "moderation:manage", "what may not be said"),
    ("PUT", WORD_LIST): Door("server", "moderation:manage", "what may not be said", {"entries": []}),
    ("POST", f"{WORD_LIST}/entries"): Door("server", "moderation:manage", "what may not be said", ENTRY),
    ("PATCH", f"{WORD_LIST}/entries/{{entry_id}}"): Door(
        "server", "moderation:manage", "what may not be said", {}, 404
    ),
    ("DELETE", f"{WORD_LIST}/entries/{{entry_id}}"): Door(
        "server", "moderation:manage", "what may not be said", foreign=404
    ),
    ("GET", "/api/moderation/hook"): Door("server", "moderation:manage", "who judges"),
    ("PUT", "/api/moderation/hook"): Door(
        "server", "moderation:manage", "who judges", {"url": "https://example.com/hook", "enabled": False}
    ),
    ("DELETE", "/api/moderation/hook"): Door("server", "moderation:manage", "who judges"),
    ("POST", "/api/moderation/hook/rotate-secret"): Door("server", "moderation:manage", "gives a secret", {}),
    ("GET", "/api/moderation/verdicts"): Door("server", "moderation:manage", "what was decided"),
    ("GET", "/api/moderation/held"): Door("server", "moderation:manage", "what waits"),
    ("POST", "/api/moderation/held/{message_id}/approve"): Door(
        "server", "moderation:manage", "what waits", foreign=404
    ),
    ("POST", "/api/moderation/held/{message_id}/reject"): Door(
        "server", "moderation:manage", "what waits", foreign=404
    ),
    ("GET", "/api/channels/{channel_id}/held"): Door("either", "chat:read", "by role", foreign=404),
    ("POST", f"{MESSAGE}/approve"): Door("either", "chat:write", "by role", foreign=404),
    ("POST", f"{MESSAGE}/reject"): Door("either", "chat:write", "by role", foreign=404),
    # More of channels.
    ("GET", "/api/channels/discover"): Door("either", "chat:read", "what anybody may join"),
    ("POST", "/api/channels/dm/ensure"): Door(
        "server",
        "channel:create",
        "makes channels for others",
        {"requesterUserId": "ann", "peerUserId": "{user}"},
        422,
    ),
    ("POST", "/api/channels/group/ensure"): Door(
        "server",
        "channel:create",
        "makes channels for others",
        {"externalId": "x", "memberIds": ["{user}"]},
        422,
    ),
    ("POST", "/api/channels/{channel_id}/truncate"): Door("either", "chat:write", "by role", {}, 404),
    ("GET", "/api/channels/unread-count"): Door("user", "chat:read", MINE),
    ("POST", "/api/channels/{channel_id}/read"): Door("user", "chat:write", MINE, {}, 404),
    ("POST", "/api/channels/{channel_id}/unread"): Door("user", "chat:write", MINE, {"seq": 1}, 404),
    ("GET", "/api/channels/{channel_id}/receipts/read-status"): Door(
        "either", "chat:read", OTHERS, foreign=404
    ),
    # Typing and presence.
    ("POST", "/api/channels/{channel_id}/typing"): Door(
        "either", "typing:write", "by membership", {"typing": True}, 404
    ),
    ("GET", "/api/channels/{channel_id}/presence"): Door("either", "chat:read", OTHERS, foreign=404),
    ("GET", "/api/presence"): Door("user", "chat:read", MINE),
    ("PUT", "/api/presence"): Door("user", "typing:write", MINE, {"status": "online"}),
    ("POST", "/api/presence/heartbeat"): Door("user", "typing:write", MINE),
    ("POST", "/api/presence/online"): Door("user", "typing:write", MINE),
    ("POST", "/api/presence/offline"): Door("user", "typing:write", MINE),
    ("POST", "/api/presence/query"): Door(
        "either", "chat:read", "who shares a channel", {"userIds": ["{user}"]}
    ),
    ("PATCH", "/api/channels/{channel_id}/mute"): Door("user", "chat:write", MINE, {"muted": True}, 404),
    ("PATCH", "/api/channels/{channel_id}/star"): Door("user", "chat:write", MINE, {"starred": True}, 404),
    ("PATCH", "/api/channels/{channel_id}/hide"): Door("user", "chat:write", MINE, {"hidden": True}, 404),
}
# No user needs one; a server says for whom it speaks.
ON_BEHALF: dict[tuple[str, str], dict[str, str]] = {
    ("POST", "/api/channels"): {"createdById": "ann"},
    ("POST", "/api/channels/{channel_id}/messages"): {"userId": "ann"},
    ("POST", f"{MESSAGE}/thread"): {"userId": "ann"},
    ("POST", f"{MESSAGE}/reactions"): {"userId": "ann"},
    ("POST", f"{MESSAGE}/ops"): {"userId": "ann"},
    ("POST", "/api/channels/{channel_id}/typing"): {"userId": "ann"},
    ("POST", "/api/channels/{channel_id}/polls"): {"userId": "ann"},
    ("POST", "/api/polls/{poll_id}/vote"): {"userId": "ann"},
}
