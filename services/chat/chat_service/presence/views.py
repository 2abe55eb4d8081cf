"""Presence as it is shown."""

from __future__ import annotations

from chat_service.presence.rules import Choice
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.presence import Presence, PresenceStatus
from chatsdk_contracts.wire import Timestamp, WireModel


class OwnPresence(WireModel):
    """What the user chose, and how others see it; offline by choice lasts until the next sign of life."""

    user_id: UserId
    chosen: Choice
    status: PresenceStatus
    last_seen_at: Timestamp | None


class Heard(WireModel):
    """The sign of life was taken."""

    success: bool


class SeenPresence(Presence):
    """A user as somebody sees them."""

    online: bool


class PresenceAnswer(WireModel):
    """Those asked for whom the caller may see, by id."""

    presence: dict[UserId, SeenPresence]


class ChannelPresence(WireModel):
    """Members of a channel: some of each kind by id, and how many there are."""

    online: list[Presence]
    offline: list[Presence]
    total_online: int
    total_members: int
