"""Who sees what is not sent, and who decides on it. Pure."""

from __future__ import annotations

from chat_service.errors import RoleTooLow
from chat_service.messages.rules import PRIVILEGED_ROLES
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.messages import Message


def may_see_unsent(message: Message, user_id: UserId | None, role: str | None) -> bool:
    """What is held or was rejected: its author, moderators, and the app's servers (no user)."""
    return user_id is None or role in PRIVILEGED_ROLES or message.user_id == user_id


def require_moderator(user_id: UserId | None, role: str | None) -> None:
    """Raises RoleTooLow for who does not decide on held messages."""
    if user_id is not None and role not in PRIVILEGED_ROLES:
        raise RoleTooLow("Only a moderator or above decides on held messages.")
