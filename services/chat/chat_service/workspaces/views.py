"""Replies about workspaces that are more than the resource."""

from __future__ import annotations

from chat_service.paging import Page
from chat_service.workspaces.rules import InviteStatus
from chatsdk_contracts.ids import InviteId, UserId, WorkspaceId
from chatsdk_contracts.wire import Timestamp, WireModel
from chatsdk_contracts.workspaces import Workspace, WorkspaceInvite, WorkspaceMember, WorkspaceRole


class ViewedWorkspace(Workspace):
    """A workspace, and the caller's role in it (null for the app's server)."""

    role: WorkspaceRole | None = None


class WorkspacePage(Page):
    """A page of workspaces."""

    workspaces: list[ViewedWorkspace]


class WorkspaceMemberPage(Page):
    """A page of members."""

    members: list[WorkspaceMember]


class AddedToWorkspace(WireModel):
    """Who is in the workspace now of those who were to be added, and how many of them are new."""

    members: list[WorkspaceMember]
    added_count: int


class SentInvite(WorkspaceInvite):
    """An invitation as whoever invites sees it: for whom, and the token, which is shown this once."""

    email: str | None = None
    user_id: UserId | None = None
    message: str | None = None
    token: str


class SentInvites(WireModel):
    """The invitations, in the order asked for."""

    invites: list[SentInvite]


class ShownInvite(WireModel):
    """An invitation as whoever holds its token sees it."""

    id: InviteId
    workspace_id: WorkspaceId
    workspace_name: str
    role: WorkspaceRole
    message: str | None
    invited_by: UserId | None
    status: InviteStatus
    expires_at: Timestamp
    created_at: Timestamp


class RevokedInvite(WireModel):
    """An invitation that opens nothing any more."""

    id: InviteId
    workspace_id: WorkspaceId
    revoked_at: Timestamp
