"""Who may do what in a channel, and when two people share one. Pure; every refusal is an error with its fix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast, get_args

from chat_service.errors import (
    JOINABLE_TYPES,
    ChannelNotFound,
    LastOwner,
    MembershipFixed,
    NotAMember,
    RoleTooLow,
)
from chatsdk_contracts.channels import Channel, ChannelConfig, ChannelRole, Member
from chatsdk_contracts.ids import UserId

RANK: Final[Mapping[str, int]] = {"member": 1, "moderator": 2, "admin": 3, "owner": 4}
# The app's servers stand above every role.
SERVER_RANK: Final = 5
_EDITORS: Final = RANK["admin"]
_MANAGERS: Final = RANK["moderator"]
_DEFAULT_CONFIGS: Final[Mapping[str, ChannelConfig]] = {
    # Thousands watch: who types and who has read is of no use to anybody, and would outnumber the messages.
    "livestream": ChannelConfig(typing_events=False, read_events=False),
}
_OWN_FIELDS: Final = ("name", "description", "image", "custom", "frozen")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts in a channel: a user with a role (None: not in it), or the app's server (no user)."""

    user_id: UserId | None
    role: ChannelRole | None

    @property
    def rank(self) -> int:
        """0 for who is not in the channel."""
        if self.user_id is None:
            return SERVER_RANK
        return 0 if self.role is None else RANK[self.role]


def default_config(channel_type: str) -> ChannelConfig:
    """What a new channel of this type allows unless it is told otherwise."""
    return _DEFAULT_CONFIGS.get(channel_type, ChannelConfig())


def direct_key(channel_type: str, name: str | None, members: Iterable[UserId]) -> str | None:
    """What makes a direct channel the only one of its two members; None when the channel is not a direct one."""
    pair = sorted(members)
    if channel_type != "messaging" or name is not None or len(pair) != 2:
        return None
    # No user id holds a control character.
    return "\x1f".join(pair)


def is_open(channel: Channel) -> bool:
    """Whether everybody in the app may see the channel and join it."""
    return channel.type in JOINABLE_TYPES and not channel.config.private


def is_hidden(channel: Channel) -> bool:
    """Whether the channel does not exist for those who are not in it."""
    return channel.type == "private" or channel.config.private


def require_member(actor: Actor, channel: Channel) -> None:
    """Raises ChannelNotFound or NotAMember for a user who is not in the channel."""
    if actor.rank > 0:
        return
    if is_hidden(channel):
        raise ChannelNotFound
    raise NotAMember(channel.id, channel.type)


def require_sight(actor: Actor, channel: Channel) -> None:
    """The same, but an open channel is seen by everybody."""
    if not is_open(channel):
        require_member(actor, channel)


def require_editor(actor: Actor, channel: Channel) -> None:
    """Who may change the channel's own fields."""
    require_member(actor, channel)
    if actor.rank < _EDITORS:
        raise RoleTooLow("Only an owner or admin may change the channel.")


def require_owner(actor: Actor, channel: Channel) -> None:
    """Who may delete the channel."""
    require_member(actor, channel)
    if actor.rank < RANK["owner"]:
        raise RoleTooLow("Only an owner may delete the channel.")


def require_adding(actor: Actor, channel: Channel, role: ChannelRole, *, is_direct: bool) -> None:
    """Who may add members, and in which role."""
    require_member(actor, channel)
    if is_direct:
        raise MembershipFixed
    if actor.rank < _MANAGERS:
        raise RoleTooLow("Only an owner, admin or moderator may add members.")
    _require_granting(actor, role)


def require_changing(actor: Actor, channel: Channel, *, is_direct: bool) -> None:
    """What changing and removing members need before the rest is looked at."""
    require_member(actor, channel)
    if is_direct:
        raise MembershipFixed


def role_of(member: Member) -> ChannelRole:
    """The member's role; one that a later version stored counts as the lowest."""
    for role in get_args(ChannelRole):
        if role == member.role:
            return cast("ChannelRole", role)
    return "member"


def require_joining(channel: Channel) -> None:
    """Where users may come in by themselves."""
    if is_hidden(channel):
        raise ChannelNotFound
    if not is_open(channel):
        raise NotAMember(channel.id, channel.type)


def require_new_role(actor: Actor, target: Actor, role: ChannelRole, *, other_owners: int) -> None:
    """Who may give whom which role. One's own may only be lowered; an owner may make another owner."""
    if actor.user_id is not None and actor.user_id == target.user_id:
        if RANK[role] > actor.rank:
            raise RoleTooLow("Nobody raises their own role.")
    else:
        _require_above(actor, target)
        _require_granting(actor, role)
    if target.role == "owner" and role != "owner" and other_owners == 0 and actor.user_id is not None:
        raise LastOwner


def require_removal(actor: Actor, target: Actor) -> None:
    """Who may put whom out of the channel."""
    if actor.rank < _MANAGERS:
        raise RoleTooLow("Only an owner, admin or moderator may remove members.")
    _require_above(actor, target)


def require_leaving(role: ChannelRole, *, other_owners: int, others: int) -> None:
    """An owner hands over first, unless nobody stays behind."""
    if role == "owner" and other_owners == 0 and others > 0:
        raise LastOwner


def _require_above(actor: Actor, target: Actor) -> None:
    if actor.rank <= target.rank:
        raise RoleTooLow(f"A member with the role {target.role!r} is not below yours.")


def _require_granting(actor: Actor, role: ChannelRole) -> None:
    highest = actor.rank if actor.rank >= RANK["owner"] else actor.rank - 1
    if RANK[role] > highest:
        raise RoleTooLow(f"The role {role!r} is not yours to give.")


def changed_fields(channel: Channel, given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields given that differ from what is, by their Python names; null empties, `config` is merged."""
    wanted: dict[str, Any] = {name: given[name] for name in _OWN_FIELDS if name in given}
    if "custom" in wanted:
        wanted["custom"] = wanted["custom"] or {}
    if given.get("config") is not None:
        wanted["config"] = merged_config(channel.config, given["config"])
    return {name: value for name, value in wanted.items() if getattr(channel, name) != value}


def merged_config(config: ChannelConfig, given: Mapping[str, Any] | None) -> ChannelConfig:
    """The settings given over those that are."""
    return config.model_copy(update=dict(given or {}))
