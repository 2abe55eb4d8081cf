"""Use cases of invitations: send, show, accept once, withdraw. The token is a credential and is stored as a hash."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from chat_service.channels.access import refuse_unknown
from chat_service.errors import InviteNotFound
from chat_service.events.log import Cause, append, workspace_event
from chat_service.moderation.admission import require_free
from chat_service.users.store import known_users
from chat_service.workspaces import invite_store, rules, store
from chat_service.workspaces.access import lock_for
from chat_service.workspaces.membership import bring_in
from chat_service.workspaces.rules import StoredInvite
from chat_service.workspaces.views import RevokedInvite, SentInvite, SentInvites, ShownInvite
from chatsdk_contracts.ids import AppId, InviteId, UserId, WorkspaceId, new_id
from chatsdk_contracts.workspaces import (
    Workspace,
    WorkspaceInvite,
    WorkspaceInvited,
    WorkspaceMember,
    WorkspaceRole,
)
from chatsdk_runtime.postgres import Connection, Transaction


@dataclass(frozen=True, slots=True)
class Invitation:
    """Whom to invite (either addresses or users), in which role, with which words."""

    emails: Sequence[str]
    user_ids: Sequence[UserId]
    role: WorkspaceRole
    message: str | None


async def invite(
    tx: Transaction,
    cause: Cause,
    workspace_id: WorkspaceId | None,
    user_id: UserId | None,
    wanted: Invitation,
) -> SentInvites:
    """Make one invitation each, valid for seven days; the tokens are in this reply and nowhere else."""
    workspace, actor = await lock_for(tx, cause.app_id, workspace_id, user_id)
    rules.require_admin(actor, "invite")
    rules.require_granting(actor, wanted.role)
    known = await known_users(tx, cause.app_id, wanted.user_ids)
    refuse_unknown(
        [(f"userIds[{index}]", one) for index, one in enumerate(wanted.user_ids) if one not in known]
    )
    invites = _new_invites(cause, workspace, wanted)
    tokens = [rules.INVITE_PREFIX + secrets.token_urlsafe(32) for _ in invites]
    await invite_store.insert_invites(
        tx, cause.app_id, invites, [rules.token_hash(token) for token in tokens]
    )
    version = workspace.version + len(invites)
    await store.update_workspace(tx, workspace.model_copy(update={"version": version}))
    events = [
        workspace_event(WorkspaceInvited, cause, workspace.id, workspace.version + place, _told(one))
        for place, one in enumerate(invites, start=1)
    ]
    await append(tx, events)
    return SentInvites(
        invites=[
            SentInvite(
                **dict(_told(one)), email=one.email, user_id=one.user_id, message=one.message, token=token
            )
            for one, token in zip(invites, tokens, strict=True)
        ]
    )


def _new_invites(cause: Cause, workspace: Workspace, wanted: Invitation) -> list[StoredInvite]:
    emails: list[tuple[str | None, UserId | None]] = [(one, None) for one in dict.fromkeys(wanted.emails)]
    users: list[tuple[str | None, UserId | None]] = [(None, one) for one in dict.fromkeys(wanted.user_ids)]
    return [
        StoredInvite(
            id=InviteId(new_id()),
            workspace_id=workspace.id,
            role=wanted.role,
            email=email,
            user_id=invited,
            message=wanted.message,
            invited_by=cause.actor_id,
            created_at=cause.now,
            expires_at=cause.now + rules.INVITE_LIFE,
        )
        for email, invited in emails + users
    ]


def _told(invited: StoredInvite) -> WorkspaceInvite:
    """What an event may say: neither the address nor the token."""
    return WorkspaceInvite(
        id=invited.id,
        workspace_id=invited.workspace_id,
        role=invited.role,
        invited_by=invited.invited_by,
        expires_at=invited.expires_at,
        created_at=invited.created_at,
    )


async def show(connection: Connection, cause: Cause, token: str, user_id: UserId | None) -> ShownInvite:
    """What an invitation is to; looking changes nothing."""
    invited = await _find(connection, cause.app_id, token, user_id)
    workspace = await store.fetch_workspace(connection, cause.app_id, invited.workspace_id)
    if workspace is None:
        raise InviteNotFound
    return ShownInvite(
        id=invited.id,
        workspace_id=workspace.id,
        workspace_name=workspace.name,
        role=invited.role,
        message=invited.message,
        invited_by=invited.invited_by,
        status=rules.status_of(invited, cause.now),
        expires_at=invited.expires_at,
        created_at=invited.created_at,
    )


async def accept(tx: Transaction, cause: Cause, token: str, user_id: UserId) -> tuple[WorkspaceMember, bool]:
    """Come into the workspace, once; the repeat by the same user finds the member. True when new in it.

    Raises:
        InviteClosed: somebody else accepted it, or it was withdrawn or is too old.
    """
    asked = await _find(tx, cause.app_id, token, user_id)
    await require_free(tx, cause.app_id, None, user_id)
    workspace = await store.lock_workspace(tx, cause.app_id, asked.workspace_id)
    if workspace is None:
        raise InviteNotFound
    # Again, after the lock: somebody may have accepted it while this call waited.
    invited = await _find(tx, cause.app_id, token, user_id)
    present = await store.fetch_members(tx, workspace.id, [user_id])
    if present and invited.accepted_by == user_id:
        return present[0], False
    rules.require_pending(invited, cause.now)
    await invite_store.mark_accepted(tx, invited.id, user_id, cause.now)
    if present:
        return present[0], False
    member = WorkspaceMember(
        workspace_id=workspace.id, user_id=user_id, role=invited.role, joined_at=cause.now
    )
    await bring_in(tx, cause, workspace, [member])
    return member, True


async def revoke(
    tx: Transaction,
    cause: Cause,
    workspace_id: WorkspaceId | None,
    user_id: UserId | None,
    invite_id: str | None,
) -> RevokedInvite:
    """Withdraw an invitation; the repeat finds it withdrawn."""
    workspace, actor = await lock_for(tx, cause.app_id, workspace_id, user_id)
    rules.require_admin(actor, "withdraw invitations")
    revoked_at = (
        None if invite_id is None else await invite_store.revoke(tx, workspace.id, invite_id, cause.now)
    )
    if invite_id is None or revoked_at is None:
        raise InviteNotFound
    return RevokedInvite(id=InviteId(invite_id), workspace_id=workspace.id, revoked_at=revoked_at)


async def _find(connection: Connection, app_id: AppId, token: str, user_id: UserId | None) -> StoredInvite:
    found = await invite_store.fetch_invite(connection, app_id, rules.token_hash(token))
    if found is None:
        raise InviteNotFound
    rules.require_addressee(found, user_id)
    return found
