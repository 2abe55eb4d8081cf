"""What users are doing right now: typing and presence.

Ephemeral: not in the event log, published non-persistent, coalesced, expiring, counted approximately.
"""

from typing import Literal

from chatsdk_contracts.envelope import Audience, Event
from chatsdk_contracts.ids import ChannelId, UserId
from chatsdk_contracts.wire import Timestamp, WireModel

PresenceStatus = Literal["online", "away", "offline"]


class Typing(WireModel):
    """Who types where; after `expires_at` a reader takes it for stopped."""

    channel_id: ChannelId
    user_id: UserId
    expires_at: Timestamp


class Presence(WireModel):
    """Whether a user is there; sent only to sockets that asked for this user."""

    user_id: UserId
    status: PresenceStatus
    last_seen_at: Timestamp | None


class TypingStart(Event):
    """A user began to type in a channel."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    durable = False
    type: Literal["typing.start"] = "typing.start"
    data: Typing


class TypingStop(Event):
    """A user stopped typing in a channel."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    durable = False
    type: Literal["typing.stop"] = "typing.stop"
    data: Typing


class PresenceChanged(Event):
    """A user came, went idle or left."""

    audience = Audience.CHANNEL
    aggregate = "users"
    durable = False
    type: Literal["presence.changed"] = "presence.changed"
    data: Presence
