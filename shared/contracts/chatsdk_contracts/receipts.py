"""Read receipts: how far a user has read a channel.

Durable but outside the channel's order: no `sequence`, at most one per reader, channel and second, the last always.
"""

from typing import Literal

from chatsdk_contracts.envelope import Audience, Event
from chatsdk_contracts.ids import ChannelId, MessageId, UserId
from chatsdk_contracts.wire import Timestamp, WireModel


class ReadReceipt(WireModel):
    """A reader's marker; `message_id` is null if the channel holds no message at or below it."""

    channel_id: ChannelId
    user_id: UserId
    message_id: MessageId | None
    last_read_seq: int
    read_at: Timestamp


class MessageRead(Event):
    """A user has read a channel up to a message."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    type: Literal["message.read"] = "message.read"
    data: ReadReceipt
