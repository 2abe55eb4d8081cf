"""Reactions to messages: one event per added or removed reaction, with the message's counts afterwards."""

from typing import Literal

from chatsdk_contracts.envelope import Audience, Event
from chatsdk_contracts.ids import ChannelId, MessageId, UserId
from chatsdk_contracts.wire import WireModel


class ReactionChange(WireModel):
    """Who reacted how; `type` is an emoji or `:name:`, `counts` holds every type that the message has now."""

    message_id: MessageId
    channel_id: ChannelId
    user_id: UserId
    type: str
    counts: dict[str, int]


class ReactionAdded(Event):
    """A user reacted to a message."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    type: Literal["reaction.added"] = "reaction.added"
    data: ReactionChange


class ReactionRemoved(Event):
    """A user took a reaction back."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    type: Literal["reaction.removed"] = "reaction.removed"
    data: ReactionChange
