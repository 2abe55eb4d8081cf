"""Rights in a workspace and the life of an invitation, as tables."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.errors import InviteClosed, InviteNotFound, LastOwner, RoleTooLow, WorkspaceNotFound
from chat_service.workspaces import rules
from chat_service.workspaces.rules import Actor, StoredInvite
from chatsdk_contracts.ids import InviteId, UserId, WorkspaceId
from chatsdk_contracts.workspaces import Workspace, WorkspaceMember, WorkspaceRole

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN, BOB = UserId("ann"), UserId("bob")
SERVER = Actor(None, None)
ROLES: tuple[WorkspaceRole, ...] = ("member", "admin", "owner")
ROLE = st.sampled_from(ROLES)
INVITE = StoredInvite(
    id=InviteId("i"),
    workspace_id=WorkspaceId("w"),
    role="member",
    email=None,
    user_id=None,
    message=None,
    invited_by=ANN,
    created_at=NOW,
    expires_at=NOW + rules.INVITE_LIFE,
)


@pytest.mark.parametrize("role", ROLES)
def test_only_admins_and_owners_administer(role: WorkspaceRole) -> None:
    if role == "member":
        with pytest.raises(RoleTooLow):
            rules.require_admin(Actor(ANN, role), "invite")
    else:
        rules.require_admin(Actor(ANN, role), "invite")


@pytest.mark.parametrize("role", ROLES)
def test_only_owners_delete(role: WorkspaceRole) -> None:
    if role == "owner":
        rules.require_owner(Actor(ANN, role))
    else:
        with pytest.raises(RoleTooLow):
            rules.require_owner(Actor(ANN, role))


def test_a_workspace_does_not_exist_for_those_outside() -> None:
    outside = Actor(ANN, None)
    with pytest.raises(WorkspaceNotFound):
        rules.require_admin(outside, "invite")
    with pytest.raises(WorkspaceNotFound):
        rules.require_owner(outside)
    with pytest.raises(WorkspaceNotFound):
        rules.require_removal(outside, Actor(ANN, "member"), other_owners=1)
    rules.require_owner(SERVER)


@given(own=ROLE, wanted=ROLE)
def test_nobody_raises_their_own_role(own: WorkspaceRole, wanted: WorkspaceRole) -> None:
    actor = Actor(ANN, own)
    if rules.RANK[wanted] > rules.RANK[own]:
        with pytest.raises(RoleTooLow):
            rules.require_new_role(actor, actor, wanted, other_owners=1)
    else:
        rules.require_new_role(actor, actor, wanted, other_owners=1)


@given(own=ROLE, present=ROLE, wanted=ROLE)
def test_nobody_acts_on_an_equal_or_gives_more_than_they_may(
    own: WorkspaceRole, present: WorkspaceRole, wanted: WorkspaceRole
) -> None:
    allowed = (own == "owner" and present != "owner") or (
        own == "admin" and present == "member" and wanted == "member"
    )
    if allowed:
        rules.require_new_role(Actor(ANN, own), Actor(BOB, present), wanted, other_owners=1)
    else:
        with pytest.raises(RoleTooLow):
            rules.require_new_role(Actor(ANN, own), Actor(BOB, present), wanted, other_owners=1)


@pytest.mark.parametrize("actor", [Actor(ANN, "owner"), SERVER])
def test_the_last_owner_stays_an_owner(actor: Actor) -> None:
    owner = Actor(ANN, "owner")
    with pytest.raises(LastOwner):
        rules.require_new_role(actor, owner, "admin", other_owners=0)
    with pytest.raises(LastOwner):
        rules.require_removal(actor, owner, other_owners=0)
    rules.require_removal(actor, owner, other_owners=1)


def test_everybody_may_leave_and_only_those_above_may_remove() -> None:
    rules.require_removal(Actor(ANN, "member"), Actor(ANN, "member"), other_owners=1)
    rules.require_removal(Actor(ANN, "admin"), Actor(BOB, "member"), other_owners=1)
    for own, other in (("member", "member"), ("admin", "admin"), ("admin", "owner")):
        with pytest.raises(RoleTooLow):
            rules.require_removal(Actor(ANN, own), Actor(BOB, other), other_owners=1)  # type: ignore[arg-type] # literals in a tuple


def test_a_role_of_a_later_version_counts_as_the_lowest() -> None:
    member = WorkspaceMember(workspace_id=WorkspaceId("w"), user_id=ANN, role="guest", joined_at=NOW)

    assert rules.role_of(member) == "member"


@pytest.mark.parametrize(
    ("changes", "at", "status"),
    [
        ({}, NOW, "pending"),
        ({}, NOW + timedelta(days=7) - timedelta(milliseconds=1), "pending"),
        ({}, NOW + timedelta(days=7), "expired"),
        ({"revoked_at": NOW}, NOW, "revoked"),
        ({"accepted_by": BOB}, NOW, "accepted"),
        ({"accepted_by": BOB}, NOW + timedelta(days=8), "accepted"),
    ],
)
def test_an_invitation_opens_once_and_for_seven_days(
    changes: dict[str, object], at: datetime, status: str
) -> None:
    invite = replace(INVITE, **changes)  # type: ignore[arg-type] # a mapping

    assert rules.status_of(invite, at) == status
    if status == "pending":
        rules.require_pending(invite, at)
    else:
        with pytest.raises(InviteClosed, match=status):
            rules.require_pending(invite, at)


def test_a_users_invitation_is_nobody_elses() -> None:
    for_bob = replace(INVITE, user_id=BOB)
    rules.require_addressee(for_bob, BOB)
    rules.require_addressee(for_bob, None)
    rules.require_addressee(INVITE, ANN)
    with pytest.raises(InviteNotFound):
        rules.require_addressee(for_bob, ANN)


def test_null_empties_what_may_be_empty_and_nothing_else() -> None:
    workspace = Workspace(
        id=WorkspaceId("w"), type="team", name="W", image="i", config={"a": 1}, created_at=NOW, updated_at=NOW
    )
    given_fields = {"name": None, "type": None, "image": None, "config": None, "expires_at": None}

    assert rules.changed_fields(workspace, given_fields) == {"image": None, "config": {}}
    assert rules.changed_fields(workspace, {"name": "W"}) == {}
    assert rules.changed_fields(workspace, {"name": "V"}) == {"name": "V"}
