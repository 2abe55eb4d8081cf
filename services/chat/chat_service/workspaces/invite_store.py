"""SQL of invitations; tokens are known by their hash alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from chat_service.workspaces.rules import StoredInvite
from chatsdk_contracts.ids import AppId, InviteId, UserId, WorkspaceId
from chatsdk_runtime.postgres import Connection, Row, Transaction


async def insert_invites(
    tx: Transaction, app_id: AppId, invites: Sequence[StoredInvite], hashes: Sequence[bytes]
) -> None:
    """New invitations to one workspace, made together, with the hashes of their tokens."""
    first = invites[0]
    await tx.execute(
        _INSERT,
        UUID(first.workspace_id),
        UUID(app_id),
        first.role,
        first.message,
        first.invited_by,
        first.created_at,
        first.expires_at,
        [UUID(invite.id) for invite in invites],
        list(hashes),
        [invite.email for invite in invites],
        [invite.user_id for invite in invites],
    )


async def fetch_invite(connection: Connection, app_id: AppId, token_hash: bytes) -> StoredInvite | None:
    """The invitation with this token, to a workspace that is there."""
    row = await connection.fetchrow(_FETCH, UUID(app_id), token_hash)
    return None if row is None else _invite(row)


async def mark_accepted(tx: Transaction, invite_id: InviteId, user_id: UserId, now: datetime) -> None:
    """Use an invitation up; the workspace is locked."""
    await tx.execute(_MARK_ACCEPTED, UUID(invite_id), user_id, now)


async def revoke(
    tx: Transaction, workspace_id: WorkspaceId, invite_id: str, now: datetime
) -> datetime | None:
    """Withdraw an invitation that nobody has accepted: since when it is; None when the workspace has none such."""
    revoked_at: datetime | None = await tx.fetchval(_REVOKE, UUID(workspace_id), UUID(invite_id), now)
    return revoked_at


async def revoke_of(
    tx: Transaction, workspace_id: WorkspaceId, inviter: UserId, roles: Sequence[str], now: datetime
) -> None:
    """Withdraw what a member of a locked workspace invited to in these roles and nobody has accepted."""
    await tx.execute(_REVOKE_OF, UUID(workspace_id), inviter, list(roles), now)


def _invite(row: Row) -> StoredInvite:
    return StoredInvite(
        id=InviteId(str(row["id"])),
        workspace_id=WorkspaceId(str(row["workspace_id"])),
        role=row["role"],
        email=row["email"],
        user_id=row["user_id"],
        message=row["message"],
        invited_by=row["invited_by"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        accepted_by=row["accepted_by"],
        revoked_at=row["revoked_at"],
    )


_INSERT = """
insert into workspace_invite (
  workspace_id, app_id, role, message, invited_by, created_at, expires_at, id, token_hash, email, user_id
)
select $1, $2, $3, $4, $5, $6, $7, id, token_hash, email, user_id
from unnest($8::uuid[], $9::bytea[], $10::text[], $11::text[]) as invited (id, token_hash, email, user_id)
"""

_FETCH = """
select invite.*
from workspace_invite as invite
join workspace on workspace.id = invite.workspace_id and workspace.deleted_at is null
where invite.app_id = $1 and invite.token_hash = $2
"""

_MARK_ACCEPTED = """
update workspace_invite
set accepted_by = $2, accepted_at = $3
where id = $1
"""

_REVOKE = """
update workspace_invite
set revoked_at = coalesce(revoked_at, $3)
where workspace_id = $1 and id = $2 and accepted_at is null
returning revoked_at
"""

_REVOKE_OF = """
update workspace_invite
set revoked_at = $4
where workspace_id = $1 and invited_by = $2 and role = any($3::text[]) and accepted_at is null and revoked_at is null
"""
