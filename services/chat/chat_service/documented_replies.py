"""What each route answers, for the OpenAPI document: by "METHOD /path", the models of good answers by status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chat_service.apps import views as apps
from chat_service.apps.settings_model import AppSettings
from chat_service.audit.views import AuditPage
from chat_service.auth.actions import MintedToken, RevokedNow
from chat_service.channels import views as channels
from chat_service.collab.views import OpAnswer, OpPage
from chat_service.discovery import Discovered
from chat_service.erasure.views import Erasure
from chat_service.exports.views import ShownExport
from chat_service.holds.actions import HoldPage
from chat_service.holds.rules import Hold
from chat_service.hooks import views as hooks
from chat_service.imports.views import Import
from chat_service.mentions import views as mentions
from chat_service.messages import views as messages
from chat_service.messages.history import HistoryPage
from chat_service.moderation import views as moderation
from chat_service.polls.views import PollResults, PollView
from chat_service.presence import views as presence
from chat_service.reactions.actions import ReactionPage
from chat_service.reactions.rules import Reaction
from chat_service.reads import views as reads
from chat_service.review.views import HeldPage
from chat_service.saved.actions import Saved, SavedPage
from chat_service.screening.views import VerdictPage
from chat_service.search.views import SearchPage, Suggestions
from chat_service.threads import views as threads
from chat_service.typists.actions import TypingState
from chat_service.uploads import views as uploads
from chat_service.users import actions as users
from chat_service.users.blocking import Block, BlockedPage
from chat_service.users.muting import MutedPage, UserMute
from chat_service.users.rules import EnsuredUser, EnsuredUsers, OwnUser
from chat_service.wordlists.views import WordList, WordListEntry
from chat_service.workspaces import views as workspaces
from chatsdk_contracts.channels import Channel, Left, Member, TruncatedChannel
from chatsdk_contracts.messages import Message
from chatsdk_contracts.moderation import Ban
from chatsdk_contracts.polls import Poll
from chatsdk_contracts.sync import OpsAnswer, SyncPage
from chatsdk_contracts.uploads import Upload
from chatsdk_contracts.users import User, UserState
from chatsdk_contracts.workspaces import Workspace, WorkspaceLeft, WorkspaceMember
from chatsdk_runtime.openapi import Replies

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
    f"GET {_MESSAGE}/ops": {200: OpPage},
    f"POST {_MESSAGE}/ops": {200: OpAnswer, 201: OpAnswer},
    f"GET {_MESSAGE}/reactions": {200: ReactionPage},
    f"POST {_MESSAGE}/reactions": {200: Reaction, 201: Reaction},
    f"DELETE {_MESSAGE}/reactions/{{reaction_type}}": {200: Reaction},
    f"POST {_MESSAGE}/pin": {200: Message},
    f"DELETE {_MESSAGE}/pin": {200: Message},
    f"GET {_CHANNEL}/pins": {200: messages.PinPage},
    f"GET {_CHANNEL}/messages/pins": {200: messages.PinPage},
    f"POST {_MESSAGE}/save": {200: Saved, 201: Saved},
    f"DELETE {_MESSAGE}/save": {200: Saved},
    f"GET {_MESSAGE}/thread": {200: threads.ThreadPage},
    f"POST {_MESSAGE}/thread": {200: messages.SentMessage, 201: messages.SentMessage},
    f"GET {_MESSAGE}/thread/participants": {200: threads.ParticipantPage},
    f"POST {_MESSAGE}/thread/follow": {200: threads.OwnThread},
    f"DELETE {_MESSAGE}/thread/follow": {200: threads.OwnThread},
    f"POST {_MESSAGE}/thread/read": {200: threads.OwnThread},
    "GET /api/threads": {200: threads.ListedThreadPage},
    "GET /api/threads/unread-count": {200: threads.UnreadThreads},
    "GET /api/mentions": {200: mentions.MentionPage},
    "GET /api/mentions/unread-count": {200: mentions.UnreadMentions},
    "POST /api/mentions/read": {200: mentions.UnreadMentions},
    "GET /api/mentions/search": {200: mentions.Mentionable},
    f"POST {_MESSAGE}/polls": {201: Poll},
    f"POST {_CHANNEL}/polls": {200: Poll, 201: Poll},
    "GET /api/polls/{poll_id}": {200: PollView},
    "GET /api/polls/{poll_id}/results": {200: PollResults},
    "POST /api/polls/{poll_id}/vote": {200: PollView},
    "DELETE /api/polls/{poll_id}/vote": {200: PollView},
    "POST /api/polls/{poll_id}/close": {200: PollView},
    "GET /api/presence": {200: presence.OwnPresence},
    "PUT /api/presence": {200: presence.OwnPresence},
    "POST /api/presence/online": {200: presence.OwnPresence},
    "POST /api/presence/offline": {200: presence.OwnPresence},
    "POST /api/presence/heartbeat": {200: presence.Heard},
    "POST /api/presence/query": {200: presence.PresenceAnswer},
    f"GET {_CHANNEL}/presence": {200: presence.ChannelPresence},
    f"POST {_CHANNEL}/typing": {200: TypingState},
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
    "POST /api/users/{user_id}/erase": {202: Erasure},
    "GET /api/erasures/{erasure_id}": {200: Erasure},
    "POST /api/users/me/export": {201: ShownExport},
    "POST /api/users/{user_id}/export": {201: ShownExport},
    f"POST {_CHANNEL}/export": {201: ShownExport},
    "GET /api/exports/{export_id}": {200: ShownExport},
    "POST /api/import": {202: Import},
    "GET /api/imports/{import_id}": {200: Import},
    "POST /api/legal-holds": {201: Hold},
    "GET /api/legal-holds": {200: HoldPage},
    "DELETE /api/legal-holds/{hold_id}": {200: Hold},
    f"POST {_MESSAGE}/report": {201: moderation.OwnReport},
    "POST /api/moderation/{message_id}/report": {201: moderation.OwnReport},
    "GET /api/moderation/reports": {200: moderation.ReportPage},
    "GET /api/moderation/reports/{report_id}": {200: moderation.ReportWithMessage},
    "PUT /api/moderation/reports/{report_id}/review": {200: moderation.ReportView},
    f"GET {_CHANNEL}/reports": {200: moderation.ReportPage},
    f"GET {_CHANNEL}/reports/{{report_id}}": {200: moderation.ReportWithMessage},
    f"PUT {_CHANNEL}/reports/{{report_id}}/review": {200: moderation.ReportView},
    "POST /api/moderation/bans": {201: Ban},
    "GET /api/moderation/bans": {200: moderation.BanPage},
    "DELETE /api/moderation/bans/{user_id}": {200: Ban},
    f"POST {_CHANNEL}/bans": {201: Ban},
    f"GET {_CHANNEL}/bans": {200: moderation.BanPage},
    f"DELETE {_CHANNEL}/bans/{{user_id}}": {200: Ban},
    "GET /api/moderation/held": {200: HeldPage},
    "POST /api/moderation/held/{message_id}/approve": {200: Message},
    "POST /api/moderation/held/{message_id}/reject": {200: Message},
    f"GET {_CHANNEL}/held": {200: HeldPage},
    f"POST {_MESSAGE}/approve": {200: Message},
    f"POST {_MESSAGE}/reject": {200: Message},
    "GET /api/moderation/word-list": {200: WordList},
    "PUT /api/moderation/word-list": {200: WordList},
    "POST /api/moderation/word-list/entries": {201: WordListEntry},
    "PATCH /api/moderation/word-list/entries/{entry_id}": {200: WordListEntry},
    "DELETE /api/moderation/word-list/entries/{entry_id}": {200: WordListEntry},
    "GET /api/moderation/hook": {200: hooks.BeforeSendHook},
    "PUT /api/moderation/hook": {201: hooks.NewHook, 200: hooks.BeforeSendHook},
    "POST /api/moderation/hook/rotate-secret": {200: hooks.NewSecret},
    "DELETE /api/moderation/hook": {200: hooks.BeforeSendHook},
    "GET /api/moderation/verdicts": {200: VerdictPage},
    "GET /api/audit": {200: AuditPage},
    "POST /api/users/{user_id}/mute": {200: UserMute},
    "DELETE /api/users/{user_id}/mute": {200: UserMute},
    "GET /api/users/me/muted": {200: MutedPage},
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
