"""Who may do what to a message that is there. Pure; who may send one is in `rules`."""

from __future__ import annotations

from chat_service.messages.rules import PRIVILEGED_ROLES
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.messages import Message


def may_edit(message: Message, user_id: UserId | None) -> bool:
    """Only its author edits a message; the app's servers (no user) edit any."""
    return user_id is None or _is_author(message, user_id)


def may_delete(message: Message, user_id: UserId | None, role: str | None) -> bool:
    """Its author, a moderator or above, or the app's servers."""
    return user_id is None or role in PRIVILEGED_ROLES or _is_author(message, user_id)


def may_undelete(message: Message, user_id: UserId | None, role: str | None) -> bool:
    """A moderator or above and the app's servers; the author takes back only a deletion of their own."""
    if user_id is None or role in PRIVILEGED_ROLES:
        return True
    return _is_author(message, user_id) and (message.deleted_at is None or message.deleted_by == user_id)


def may_purge(user_id: UserId | None, role: str | None) -> bool:
    """A moderator or above, or the app's servers: nobody brings it back."""
    return user_id is None or role in PRIVILEGED_ROLES


def may_read_history(message: Message, user_id: UserId | None, role: str | None) -> bool:
    """Its author, a moderator or above, or the app's servers."""
    return user_id is None or role in PRIVILEGED_ROLES or _is_author(message, user_id)


def _is_author(message: Message, user_id: UserId) -> bool:
    # A system message names a user and is the app's word: that user may not put another into its mouth.
    return message.user_id == user_id and message.type != "system"
