"""Rights in a channel as tables."""

from datetime import UTC, datetime

import pytest

from chat_service.channels import rules
from chat_service.channels.rules import Actor
from chat_service.errors import ChannelNotFound, LastOwner, MembershipFixed, NotAMember, RoleTooLow
from chatsdk_contracts.channels import Channel, ChannelConfig, ChannelRole
from chatsdk_contracts.ids import ChannelId, UserId

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN, BOB, CID = UserId("ann"), UserId("bob"), UserId("cid")
SERVER = Actor(None, None)


def channel(kind: str = "group", *, private: bool = False) -> Channel:
    return Channel(
        id=ChannelId("c"), type=kind, config=ChannelConfig(private=private), created_at=NOW, updated_at=NOW
    )


@pytest.mark.parametrize(
    ("kind", "name", "members", "direct"),
    [
        ("messaging", None, [ANN, BOB], True),
        ("messaging", None, [ANN], False),
        ("messaging", None, [ANN, BOB, CID], False),
        ("messaging", "named", [ANN, BOB], False),
        ("group", None, [ANN, BOB], False),
    ],
)
def test_a_direct_channel_is_nameless_messaging_of_two(
    kind: str, name: str | None, members: list[UserId], direct: bool
) -> None:
    key = rules.direct_key(kind, name, members)
    assert (key is not None) is direct
    assert key == rules.direct_key(kind, name, reversed(members))


@pytest.mark.parametrize("kind", ["messaging", "group", "private", "public", "team", "livestream"])
@pytest.mark.parametrize("private", [True, False])
def test_a_private_channel_does_not_exist_for_others(kind: str, private: bool) -> None:
    wanted = channel(kind, private=private)
    outside = Actor(ANN, None)
    if private or kind == "private":
        with pytest.raises(ChannelNotFound):
            rules.require_sight(outside, wanted)
        with pytest.raises(ChannelNotFound):
            rules.require_joining(wanted)
    elif kind in {"messaging", "group"}:
        with pytest.raises(NotAMember):
            rules.require_sight(outside, wanted)
        with pytest.raises(NotAMember):
            rules.require_joining(wanted)
    else:
        rules.require_sight(outside, wanted)
        rules.require_joining(wanted)
        with pytest.raises(NotAMember) as refusal:
            rules.require_member(outside, wanted)
        assert "/join" in (refusal.value.hint or "")
    rules.require_sight(SERVER, wanted)
    rules.require_sight(Actor(ANN, "member"), wanted)


@pytest.mark.parametrize(
    ("role", "edits", "deletes", "adds"),
    [
        ("member", False, False, False),
        ("moderator", False, False, True),
        ("admin", True, False, True),
        ("owner", True, True, True),
    ],
)
def test_rights_grow_with_the_role(role: ChannelRole, edits: bool, deletes: bool, adds: bool) -> None:
    actor, wanted = Actor(ANN, role), channel()

    def may(check: object, *arguments: object, **named: object) -> bool:
        assert callable(check)
        try:
            check(actor, wanted, *arguments, **named)
        except RoleTooLow:
            return False
        return True

    assert may(rules.require_editor) is edits
    assert may(rules.require_owner) is deletes
    assert may(rules.require_adding, "member", is_direct=False) is adds


def test_nobody_changes_the_members_of_a_direct_channel() -> None:
    with pytest.raises(MembershipFixed):
        rules.require_adding(SERVER, channel(), "member", is_direct=True)
    with pytest.raises(MembershipFixed):
        rules.require_changing(Actor(ANN, "owner"), channel(), is_direct=True)


@pytest.mark.parametrize("actor_role", ["member", "moderator", "admin", "owner"])
@pytest.mark.parametrize("target_role", ["member", "moderator", "admin", "owner"])
def test_nobody_removes_who_is_not_below(actor_role: ChannelRole, target_role: ChannelRole) -> None:
    actor, target = Actor(ANN, actor_role), Actor(BOB, target_role)
    if actor_role != "member" and rules.RANK[actor_role] > rules.RANK[target_role]:
        rules.require_removal(actor, target)
    else:
        with pytest.raises(RoleTooLow):
            rules.require_removal(actor, target)
    rules.require_removal(SERVER, target)


def test_an_owner_makes_owners_and_an_admin_no_admins() -> None:
    member = Actor(BOB, "member")
    rules.require_new_role(Actor(ANN, "owner"), member, "owner", other_owners=1)
    with pytest.raises(RoleTooLow):
        rules.require_new_role(Actor(ANN, "admin"), member, "admin", other_owners=1)
    rules.require_new_role(Actor(ANN, "admin"), member, "moderator", other_owners=1)


def test_ones_own_role_only_falls_and_the_last_owner_stays() -> None:
    owner, admin = Actor(ANN, "owner"), Actor(ANN, "admin")
    rules.require_new_role(owner, owner, "admin", other_owners=1)
    with pytest.raises(LastOwner):
        rules.require_new_role(owner, owner, "admin", other_owners=0)
    with pytest.raises(RoleTooLow):
        rules.require_new_role(admin, admin, "owner", other_owners=1)
    rules.require_new_role(SERVER, owner, "member", other_owners=0)


@pytest.mark.parametrize(
    ("role", "other_owners", "others", "refused"),
    [("owner", 0, 1, True), ("owner", 0, 0, False), ("owner", 1, 5, False), ("admin", 1, 5, False)],
)
def test_the_last_owner_leaves_nobody_behind(
    role: ChannelRole, other_owners: int, others: int, refused: bool
) -> None:
    if refused:
        with pytest.raises(LastOwner):
            rules.require_leaving(role, other_owners=other_owners, others=others)
    else:
        rules.require_leaving(role, other_owners=other_owners, others=others)


def test_only_what_differs_has_changed_and_settings_are_merged() -> None:
    now = channel()
    given = {"name": None, "frozen": True, "custom": None, "config": {"reactions": False}, "unknown": 1}
    changed = rules.changed_fields(now, given)
    assert changed == {"frozen": True, "config": ChannelConfig(reactions=False)}
    assert rules.changed_fields(now, {"config": {}}) == {}


def test_only_livestreams_begin_without_typing_and_read_events() -> None:
    for kind in ("messaging", "group", "team", "public", "private"):
        assert rules.default_config(kind) == ChannelConfig()
    stream = rules.default_config("livestream")
    assert (stream.typing_events, stream.read_events, stream.reactions) == (False, False, True)
