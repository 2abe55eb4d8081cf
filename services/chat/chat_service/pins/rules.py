"""Who may pin, and how many messages a channel keeps in view."""

from __future__ import annotations

from typing import Final

from chat_service.errors import ChannelFrozen, MessageIsDeleted, RoleTooLow, TooManyPins
from chat_service.messages.rules import FROZEN_EXEMPT_ROLES, PRIVILEGED_ROLES
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.messages import Message
from chatsdk_runtime.errors import ServiceError

MOST_PINS: Final = 25
"""Pinned messages of one channel."""

# In these the members are among themselves; the others have an audience.
_ALL_MAY_PIN = frozenset({"messaging", "group"})


def pinning_refusal(
    user_id: UserId | None, role: str | None, channel_type: str, *, frozen: bool
) -> ServiceError | None:
    """Why this member may neither pin nor unpin here; the app's servers (no user) always may."""
    if user_id is None:
        return None
    if frozen and role not in FROZEN_EXEMPT_ROLES:
        return ChannelFrozen()
    if channel_type not in _ALL_MAY_PIN and role not in PRIVILEGED_ROLES:
        return RoleTooLow("Only a moderator or above may pin messages in this channel.")
    return None


def pin_refusal(message: Message, pins: int) -> ServiceError | None:
    """Why a message that is not pinned cannot be."""
    if message.deleted_at is not None:
        return MessageIsDeleted()
    return TooManyPins(MOST_PINS) if pins >= MOST_PINS else None
