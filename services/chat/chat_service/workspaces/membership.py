"""Use cases of a workspace's members, one transaction each, under the workspace's row lock."""

from __future__ import annotations

from collections.abc import Sequence

from chat_service.channels.access import refuse_unknown
from chat_service.errors import MemberNotFound
from chat_service.events.log import Cause, append, workspace_event
from chat_service.paging import encode_cursor
from chat_service.users.store import known_users
from chat_service.workspaces import invite_store, rules, store
from chat_service.workspaces.access import find_member, lock_for
from chat_service.workspaces.views import AddedToWorkspace, WorkspaceMemberPage
from chatsdk_contracts.ids import AppId, UserId, WorkspaceId
from chatsdk_contracts.workspaces import (
    Workspace,
    WorkspaceLeft,
    WorkspaceMember,
    WorkspaceMemberJoined,
    WorkspaceMemberLeft,
    WorkspaceMemberUpdated,
    WorkspaceRole,
)
from chatsdk_runtime.postgres import Connection, Transaction


async def list_members(
    connection: Connection,
    app_id: AppId,
    workspace_id: WorkspaceId | None,
    user_id: UserId | None,
    *,
    after: str,
    limit: int,
) -> WorkspaceMemberPage:
    """The workspace's members by user id."""
    workspace, _ = await find_member(connection, app_id, workspace_id, user_id)
    found = await store.list_members(connection, workspace.id, after=after, limit=limit + 1)
    page = list(found[:limit])
    more = len(found) > limit
    return WorkspaceMemberPage(
        members=page, next_cursor=encode_cursor(page[-1].user_id) if more else None, has_more=more
    )


async def add_members(
    tx: Transaction,
    cause: Cause,
    workspace_id: WorkspaceId | None,
    user_id: UserId | None,
    adding: Sequence[UserId],
    role: WorkspaceRole,
) -> AddedToWorkspace:
    """Add users, in the order of the request; who is in the workspace already stays as is."""
    workspace, actor = await lock_for(tx, cause.app_id, workspace_id, user_id)
    rules.require_admin(actor, "add members")
    rules.require_granting(actor, role)
    user_ids = list(dict.fromkeys(adding))
    known = await known_users(tx, cause.app_id, user_ids)
    refuse_unknown([(f"userIds[{index}]", one) for index, one in enumerate(adding) if one not in known])
    present = {member.user_id: member for member in await store.fetch_members(tx, workspace.id, user_ids)}
    new = [
        WorkspaceMember(workspace_id=workspace.id, user_id=one, role=role, joined_at=cause.now)
        for one in user_ids
        if one not in present
    ]
    if new:
        await bring_in(tx, cause, workspace, new)
    now_in = {**present, **{member.user_id: member for member in new}}
    return AddedToWorkspace(members=[now_in[one] for one in user_ids], added_count=len(new))


async def bring_in(
    tx: Transaction, cause: Cause, workspace: Workspace, members: Sequence[WorkspaceMember]
) -> None:
    """Put new members into a locked workspace, with an event for each."""
    await store.insert_members(tx, cause.app_id, members)
    counted = workspace.model_copy(
        update={
            "member_count": workspace.member_count + len(members),
            "version": workspace.version + len(members),
        }
    )
    await store.update_workspace(tx, counted)
    events = [
        workspace_event(WorkspaceMemberJoined, cause, workspace.id, workspace.version + place, member)
        for place, member in enumerate(members, start=1)
    ]
    await append(tx, events)


async def change_role(
    tx: Transaction,
    cause: Cause,
    workspace_id: WorkspaceId | None,
    user_id: UserId | None,
    target_id: UserId,
    role: WorkspaceRole,
) -> WorkspaceMember:
    """Give a member another role; an event only when it is another. Invitations to what is above it now are withdrawn."""
    workspace, actor = await lock_for(tx, cause.app_id, workspace_id, user_id)
    rules.require_member(actor)
    member = await _require_target(tx, workspace, target_id)
    target = rules.Actor(target_id, rules.role_of(member))
    rules.require_new_role(actor, target, role, other_owners=await _other_owners(tx, member))
    if member.role == role:
        return member
    await store.update_role(tx, workspace.id, target_id, role)
    await invite_store.revoke_of(tx, workspace.id, target_id, rules.withheld(rules.RANK[role]), cause.now)
    version = workspace.version + 1
    await store.update_workspace(tx, workspace.model_copy(update={"version": version}))
    changed = member.model_copy(update={"role": role})
    await append(tx, [workspace_event(WorkspaceMemberUpdated, cause, workspace.id, version, changed)])
    return changed


async def remove(
    tx: Transaction,
    cause: Cause,
    workspace_id: WorkspaceId | None,
    user_id: UserId | None,
    target_id: UserId,
) -> WorkspaceLeft:
    """Put a member out; oneself, it is leaving. The workspace's channels follow by the sweep.

    The member's open invitations are withdrawn: one to an address is a way back for whoever has its token.
    """
    is_own = user_id == target_id
    workspace, actor = await lock_for(tx, cause.app_id, workspace_id, user_id, leaving=is_own)
    rules.require_member(actor)
    member = await _require_target(tx, workspace, target_id)
    target = rules.Actor(target_id, rules.role_of(member))
    rules.require_removal(actor, target, other_owners=await _other_owners(tx, member))
    left = WorkspaceLeft(
        workspace_id=workspace.id,
        user_id=target_id,
        role=member.role,
        actor_id=cause.actor_id,
        reason="left" if is_own else "removed",
    )
    await store.delete_member(tx, cause.app_id, member, actor_id=cause.actor_id, now=cause.now)
    await invite_store.revoke_of(tx, workspace.id, target_id, rules.withheld(0), cause.now)
    counted = workspace.model_copy(
        update={"member_count": workspace.member_count - 1, "version": workspace.version + 1}
    )
    await store.update_workspace(tx, counted)
    await append(tx, [workspace_event(WorkspaceMemberLeft, cause, workspace.id, counted.version, left)])
    return left


async def _require_target(tx: Transaction, workspace: Workspace, user_id: UserId) -> WorkspaceMember:
    found = await store.fetch_members(tx, workspace.id, [user_id])
    if not found:
        raise MemberNotFound(user_id, "workspace")
    return found[0]


async def _other_owners(tx: Transaction, member: WorkspaceMember) -> int:
    owners = await store.count_owners(tx, member.workspace_id)
    return owners - 1 if member.role == "owner" else owners
