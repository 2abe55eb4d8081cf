"""Workspaces: groups of channels with members and invitations of their own, and their events.

An invitation's event carries neither the invited address nor the link: both are credentials.
"""

from typing import Literal

from pydantic import Field

from chatsdk_contracts.envelope import Audience, Event
from chatsdk_contracts.ids import InviteId, UserId, WorkspaceId
from chatsdk_contracts.wire import Custom, Timestamp, WireModel

WorkspaceType = Literal["team", "project", "conference", "chapter"]
WorkspaceRole = Literal["owner", "admin", "member"]


class Workspace(WireModel):
    """A workspace as its members see it; `version` counts its changes."""

    id: WorkspaceId
    type: WorkspaceType | str
    name: str
    image: str | None = None
    config: Custom = Field(default_factory=dict)
    member_count: int = 0
    channel_count: int = 0
    version: int = 1
    created_by: UserId | None = None
    expires_at: Timestamp | None = None
    created_at: Timestamp
    updated_at: Timestamp
    deleted_at: Timestamp | None = None


class ChangedWorkspace(Workspace):
    """A workspace and the names of the fields that changed."""

    changed: list[str]


class WorkspaceInvite(WireModel):
    """An invitation; who it went to is known to the app that sent it."""

    id: InviteId
    workspace_id: WorkspaceId
    role: WorkspaceRole | str
    invited_by: UserId | None = None
    expires_at: Timestamp
    created_at: Timestamp


class WorkspaceMember(WireModel):
    """A user's place in a workspace."""

    workspace_id: WorkspaceId
    user_id: UserId
    role: WorkspaceRole | str
    joined_at: Timestamp


class WorkspaceLeft(WireModel):
    """Who is no longer in a workspace, with the role they had."""

    workspace_id: WorkspaceId
    user_id: UserId
    role: WorkspaceRole | str
    actor_id: UserId | None = None
    reason: str


class WorkspaceCreated(Event):
    """A workspace was created."""

    audience = Audience.CHANNEL
    aggregate = "workspaces"
    type: Literal["workspace.created"] = "workspace.created"
    data: Workspace


class WorkspaceUpdated(Event):
    """A workspace's own fields changed (not its counters)."""

    audience = Audience.CHANNEL
    aggregate = "workspaces"
    type: Literal["workspace.updated"] = "workspace.updated"
    data: ChangedWorkspace


class WorkspaceDeleted(Event):
    """A workspace was deleted."""

    audience = Audience.CHANNEL
    aggregate = "workspaces"
    type: Literal["workspace.deleted"] = "workspace.deleted"
    data: Workspace


class WorkspaceInvited(Event):
    """Somebody was invited to a workspace."""

    audience = Audience.SERVER
    aggregate = "workspaces"
    type: Literal["workspace.invited"] = "workspace.invited"
    data: WorkspaceInvite


class WorkspaceMemberJoined(Event):
    """A user became a member of a workspace."""

    audience = Audience.CHANNEL
    aggregate = "workspaces"
    type: Literal["workspace.member_joined"] = "workspace.member_joined"
    data: WorkspaceMember


class WorkspaceMemberUpdated(Event):
    """A workspace member's role changed."""

    audience = Audience.CHANNEL
    aggregate = "workspaces"
    type: Literal["workspace.member_updated"] = "workspace.member_updated"
    data: WorkspaceMember


class WorkspaceMemberLeft(Event):
    """A user is no longer a member of a workspace."""

    audience = Audience.CHANNEL
    aggregate = "workspaces"
    type: Literal["workspace.member_left"] = "workspace.member_left"
    data: WorkspaceLeft
