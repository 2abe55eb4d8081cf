"""Pure decisions about typing: who may, and what one more word about a user in a channel means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from chat_service.errors import ChannelFrozen, ChannelNotFound, NotAMember
from chat_service.typists.errors import TypingOff
from chatsdk_contracts.ids import ChannelId, EventId

FROZEN_EXEMPT_ROLES = frozenset({"owner", "admin"})

Word = Literal["tell", "keep"]


@dataclass(frozen=True, slots=True)
class Place:
    """A channel as somebody who types there meets it. `hidden`: who is not in it may not know of it."""

    channel_id: ChannelId
    channel_type: str
    role: str | None
    hidden: bool
    frozen: bool
    typing_events: bool


@dataclass(frozen=True, slots=True)
class Sign:
    """The last that was told of a user in a channel. `socket_id`: the socket whose end ends it (None: no socket's)."""

    is_typing: bool
    told_at: datetime
    until: datetime
    event_id: EventId
    socket_id: str | None = None


def require_typing(place: Place) -> None:
    """Members, where it is told and where they may write.

    Raises:
        ChannelNotFound, NotAMember, TypingOff, ChannelFrozen: why not.
    """
    if place.role is None:
        if place.hidden:
            raise ChannelNotFound
        raise NotAMember(place.channel_id, place.channel_type)
    if not place.typing_events:
        raise TypingOff
    if place.frozen and place.role not in FROZEN_EXEMPT_ROLES:
        raise ChannelFrozen


def word_for(last: Sign | None, *, is_typing: bool, now: datetime, lifetime: timedelta) -> Word:
    """Whether to tell: what is new, and a start whose last telling is half over, so that it never lapses meanwhile."""
    if last is None or last.until <= now or last.is_typing != is_typing:
        return "tell"
    if is_typing and now - last.told_at >= lifetime / 2:
        return "tell"
    return "keep"
