"""Use cases of workspaces, one transaction each: lock the row, read what decides, write, log the event.

Deleting a workspace deletes its channels: set free, they would be open to the whole app. The sweep does that, a
few in each transaction (`channels.sweep`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chat_service.channels.access import refuse_unknown
from chat_service.events.log import Cause, append, workspace_event
from chat_service.moderation.admission import require_free
from chat_service.paging import encode_cursor
from chat_service.users.store import known_users
from chat_service.workspaces import rules, store
from chat_service.workspaces.access import find_member, lock_for
from chat_service.workspaces.views import ViewedWorkspace, WorkspacePage
from chatsdk_contracts.ids import AppId, UserId, WorkspaceId, new_id
from chatsdk_contracts.workspaces import (
    ChangedWorkspace,
    Workspace,
    WorkspaceCreated,
    WorkspaceDeleted,
    WorkspaceMember,
    WorkspaceMemberJoined,
    WorkspaceUpdated,
)
from chatsdk_runtime.postgres import Connection, Transaction


@dataclass(frozen=True, slots=True)
class NewWorkspace:
    """What a workspace is made from; `creator_path` is where the request names the creator."""

    creator: UserId
    creator_path: str
    fields: Mapping[str, Any]


async def create_workspace(tx: Transaction, cause: Cause, new: NewWorkspace) -> ViewedWorkspace:
    """Make a workspace with its creator as owner.

    Raises:
        InvalidInput: the app does not have the creator.
    """
    await require_free(tx, cause.app_id, None, new.creator)
    if new.creator not in await known_users(tx, cause.app_id, [new.creator]):
        refuse_unknown([(new.creator_path, new.creator)])
    workspace = Workspace(
        id=WorkspaceId(new_id()),
        type=new.fields.get("type", "team"),
        name=new.fields["name"],
        image=new.fields.get("image"),
        config=new.fields.get("config") or {},
        member_count=1,
        # One version for the workspace's making and one for its owner's coming.
        version=2,
        created_by=new.creator,
        expires_at=new.fields.get("expires_at"),
        created_at=cause.now,
        updated_at=cause.now,
    )
    owner = WorkspaceMember(workspace_id=workspace.id, user_id=new.creator, role="owner", joined_at=cause.now)
    await store.insert_workspace(tx, cause.app_id, workspace)
    await store.insert_members(tx, cause.app_id, [owner])
    made = workspace.model_copy(update={"version": 1})
    await append(
        tx,
        [
            workspace_event(WorkspaceCreated, cause, workspace.id, 1, made),
            workspace_event(WorkspaceMemberJoined, cause, workspace.id, 2, owner),
        ],
    )
    return ViewedWorkspace(**dict(workspace), role="owner" if cause.actor_id == new.creator else None)


async def get_workspace(
    connection: Connection, app_id: AppId, workspace_id: WorkspaceId | None, user_id: UserId | None
) -> ViewedWorkspace:
    """A workspace that the caller is in (`user_id` None: the app's server)."""
    workspace, actor = await find_member(connection, app_id, workspace_id, user_id)
    return ViewedWorkspace(**dict(workspace), role=actor.role)


async def list_workspaces(
    connection: Connection, app_id: AppId, user_id: UserId | None, *, before: UUID | None, limit: int
) -> WorkspacePage:
    """A user's workspaces, or all of the app's; newest first."""
    found = await store.list_workspaces(connection, app_id, user_id, before=before, limit=limit + 1)
    page = [ViewedWorkspace(**dict(workspace), role=role) for workspace, role in found[:limit]]
    more = len(found) > limit
    return WorkspacePage(
        workspaces=page, next_cursor=encode_cursor(page[-1].id) if more else None, has_more=more
    )


async def update_workspace(
    tx: Transaction,
    cause: Cause,
    workspace_id: WorkspaceId | None,
    user_id: UserId | None,
    given: Mapping[str, Any],
) -> ViewedWorkspace:
    """Change the workspace's own fields; an event only when something is different then."""
    stored, actor = await lock_for(tx, cause.app_id, workspace_id, user_id)
    rules.require_admin(actor, "change the workspace")
    changed = rules.changed_fields(stored, given)
    if not changed:
        return ViewedWorkspace(**dict(stored), role=actor.role)
    workspace = stored.model_copy(update={**changed, "version": stored.version + 1, "updated_at": cause.now})
    await store.update_workspace(tx, workspace)
    data = ChangedWorkspace(**dict(workspace), changed=sorted(changed))
    await append(tx, [workspace_event(WorkspaceUpdated, cause, workspace.id, workspace.version, data)])
    return ViewedWorkspace(**dict(workspace), role=actor.role)


async def delete_workspace(
    tx: Transaction, cause: Cause, workspace_id: WorkspaceId | None, user_id: UserId | None
) -> Workspace:
    """Delete the workspace: from here on it is not found, and the sweep deletes its channels."""
    stored, actor = await lock_for(tx, cause.app_id, workspace_id, user_id)
    rules.require_owner(actor)
    workspace = stored.model_copy(
        update={"version": stored.version + 1, "updated_at": cause.now, "deleted_at": cause.now}
    )
    await store.update_workspace(tx, workspace)
    await append(tx, [workspace_event(WorkspaceDeleted, cause, workspace.id, workspace.version, workspace)])
    return workspace
