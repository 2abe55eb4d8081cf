"""Who may do what in a workspace, what a change changes, and when an invitation still opens the door. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, cast, get_args

from chat_service.errors import InviteClosed, InviteNotFound, LastOwner, RoleTooLow, WorkspaceNotFound
from chatsdk_contracts.ids import InviteId, UserId, WorkspaceId
from chatsdk_contracts.workspaces import Workspace, WorkspaceMember, WorkspaceRole

RANK: Final[Mapping[str, int]] = {"member": 1, "admin": 2, "owner": 3}
# The app's servers stand above every role.
SERVER_RANK: Final = 4
INVITE_LIFE: Final = timedelta(days=7)
INVITE_PREFIX: Final = "inv_"
_OWN_FIELDS: Final = ("type", "name", "image", "config", "expires_at")

InviteStatus = Literal["pending", "accepted", "revoked", "expired"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts in a workspace: a user with a role (None: not in it), or the app's server (no user)."""

    user_id: UserId | None
    role: WorkspaceRole | None

    @property
    def rank(self) -> int:
        """0 for who is not in the workspace."""
        if self.user_id is None:
            return SERVER_RANK
        return 0 if self.role is None else RANK[self.role]


@dataclass(frozen=True, slots=True)
class StoredInvite:
    """An invitation as stored: to an address (`email`) or to a user of the app (`user_id`)."""

    id: InviteId
    workspace_id: WorkspaceId
    role: WorkspaceRole
    email: str | None
    user_id: UserId | None
    message: str | None
    invited_by: UserId | None
    created_at: datetime
    expires_at: datetime
    accepted_by: UserId | None = None
    revoked_at: datetime | None = None


def require_member(actor: Actor) -> None:
    """Raises WorkspaceNotFound: a workspace does not exist for those who are not in it."""
    if actor.rank == 0:
        raise WorkspaceNotFound


def require_admin(actor: Actor, what: str) -> None:
    """Who may change the workspace's fields, its members and its invitations."""
    require_member(actor)
    if actor.rank < RANK["admin"]:
        raise RoleTooLow(f"Only an owner or admin may {what}.")


def require_owner(actor: Actor) -> None:
    """Who may delete the workspace."""
    require_member(actor)
    if actor.rank < RANK["owner"]:
        raise RoleTooLow("Only an owner may delete the workspace.")


def require_granting(actor: Actor, role: WorkspaceRole) -> None:
    """An owner gives every role, an admin those below their own."""
    if role in withheld(actor.rank):
        raise RoleTooLow(f"The role {role!r} is not yours to give.")


def withheld(rank: int) -> list[WorkspaceRole]:
    """The roles that who stands there may give to nobody: an owner gives every role, others those below their own."""
    highest = rank if rank >= RANK["owner"] else rank - 1
    return [role for role in get_args(WorkspaceRole) if RANK[role] > highest]


def require_new_role(actor: Actor, target: Actor, role: WorkspaceRole, *, other_owners: int) -> None:
    """Who may give whom which role. One's own may only be lowered; an owner may make another owner."""
    require_member(actor)
    if actor.user_id is not None and actor.user_id == target.user_id:
        if RANK[role] > actor.rank:
            raise RoleTooLow("Nobody raises their own role.")
    else:
        require_admin(actor, "change roles")
        _require_above(actor, target)
        require_granting(actor, role)
    if target.role == "owner" and role != "owner" and other_owners == 0:
        raise LastOwner("workspace")


def require_removal(actor: Actor, target: Actor, *, other_owners: int) -> None:
    """Who may put whom out: oneself always, others from above; the last owner stays."""
    require_member(actor)
    if actor.user_id is None or actor.user_id != target.user_id:
        require_admin(actor, "remove members")
        _require_above(actor, target)
    if target.role == "owner" and other_owners == 0:
        raise LastOwner("workspace")


def _require_above(actor: Actor, target: Actor) -> None:
    if actor.rank <= target.rank:
        raise RoleTooLow(f"A member with the role {target.role!r} is not below yours.")


def role_of(member: WorkspaceMember) -> WorkspaceRole:
    """The member's role; one that a later version stored counts as the lowest."""
    for role in get_args(WorkspaceRole):
        if role == member.role:
            return cast("WorkspaceRole", role)
    return "member"


def changed_fields(workspace: Workspace, given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields given that differ from what is; null empties those that may be empty and else changes nothing."""
    wanted: dict[str, Any] = {name: given[name] for name in _OWN_FIELDS if name in given}
    if "config" in wanted:
        wanted["config"] = wanted["config"] or {}
    for name in ("name", "type"):
        if wanted.get(name, "") is None:
            del wanted[name]
    return {name: value for name, value in wanted.items() if getattr(workspace, name) != value}


def token_hash(token: str) -> bytes:
    """What is stored of an invitation's token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def status_of(invite: StoredInvite, now: datetime) -> InviteStatus:
    """Whether the invitation can still be accepted, or why not."""
    if invite.accepted_by is not None:
        return "accepted"
    if invite.revoked_at is not None:
        return "revoked"
    return "expired" if invite.expires_at <= now else "pending"


def require_addressee(invite: StoredInvite, user_id: UserId | None) -> None:
    """An invitation of a user is that user's alone; one by address belongs to whoever was given its token."""
    if invite.user_id is not None and user_id is not None and invite.user_id != user_id:
        raise InviteNotFound


def require_pending(invite: StoredInvite, now: datetime) -> None:
    """Raises InviteClosed for an invitation that opens nothing any more."""
    status = status_of(invite, now)
    if status != "pending":
        raise InviteClosed(status)
