"""Mentions of single users; `@channel` and `@here` stand in `Message.mention_groups` and make no event per member."""

from typing import Literal

from chatsdk_contracts.envelope import Audience, Event
from chatsdk_contracts.ids import ChannelId, MentionId, MessageId, UserId
from chatsdk_contracts.wire import Timestamp, WireModel


class Mention(WireModel):
    """Who was mentioned by whom, in which message."""

    id: MentionId
    user_id: UserId
    mentioned_by: UserId
    channel_id: ChannelId
    message_id: MessageId
    created_at: Timestamp


class MentionCreated(Event):
    """A user was mentioned in a message they may see."""

    audience = Audience.USER
    aggregate = "users"
    type: Literal["mention.created"] = "mention.created"
    data: Mention
