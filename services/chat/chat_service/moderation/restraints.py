"""What keeps a user from writing in a channel, as every road that writes asks it. Pure.

A ban refuses. A shadow ban refuses nothing: what the user writes is shown to nobody else, and the user is not told.
A block refuses in a direct channel only; elsewhere the blocker is spared the messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chat_service.moderation.errors import Banned, BlockedByOther
from chatsdk_runtime.errors import ServiceError


@dataclass(frozen=True, slots=True)
class Restraint:
    """What the database says of one user in one channel, or (no channel) in the app.

    Of several bans that hold, one that refuses counts before a shadow ban, and the longest of its kind.
    `until` None is for good.
    """

    is_banned: bool = False
    is_shadowed: bool = False
    is_blocked: bool = False
    until: datetime | None = None
    reason: str | None = None

    @property
    def refusal(self) -> ServiceError | None:
        """Why the user may not write; None when they may, or shall think so."""
        if self.is_banned:
            return Banned(self.until, self.reason)
        return BlockedByOther() if self.is_blocked else None


FREE: Final = Restraint()
