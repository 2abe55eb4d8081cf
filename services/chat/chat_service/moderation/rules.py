"""Who may moderate whom, and what a review comes to. Pure.

Rights come from the role in a channel and from the key of an app's server: nothing that users say of themselves, in
`custom` or elsewhere, is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from chat_service.channels.rules import RANK, Actor, require_member
from chat_service.errors import RoleTooLow
from chat_service.moderation.errors import AlreadyReviewed, OwnMessage
from chatsdk_contracts.channels import Channel
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.messages import Message

ReviewAction = Literal["delete_message", "warn_user", "ban_user", "dismiss"]
Status = Literal["pending", "reviewed", "actioned", "dismissed"]

_STATUS: Final[Mapping[ReviewAction, Status]] = {
    "delete_message": "actioned",
    "ban_user": "actioned",
    # The warning itself is the app's to give.
    "warn_user": "reviewed",
    "dismiss": "dismissed",
}


def require_moderator(actor: Actor, channel: Channel) -> None:
    """Who sees a channel's bans and reports."""
    require_member(actor, channel)
    if actor.rank < RANK["moderator"]:
        raise RoleTooLow("Only an owner, admin or moderator may moderate the channel.")


def require_above(actor: Actor, target: Actor) -> None:
    """Whom a moderator may ban and let back in: those of lower roles, members or not; never oneself."""
    if actor.rank <= target.rank:
        raise RoleTooLow(f"A member with the role {target.role!r} is not below yours.")


def require_reportable(message: Message, reporter_id: UserId) -> None:
    """Raises OwnMessage for who would report themselves."""
    if message.user_id == reporter_id and message.type != "system":
        raise OwnMessage


def require_pending(status: str) -> None:
    """Raises AlreadyReviewed: one review decides."""
    if status != "pending":
        raise AlreadyReviewed(status)


def status_after(action: ReviewAction) -> Status:
    """What a report is once this was done about it."""
    return _STATUS[action]
