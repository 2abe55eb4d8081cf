"""Mentions as their reader sees them."""

from __future__ import annotations

from typing import Literal

from chat_service.messages.views import ViewedMessage
from chat_service.paging import Page
from chatsdk_contracts.ids import ChannelId, MentionId, UserId
from chatsdk_contracts.messages import HiddenMessage, MentionGroup
from chatsdk_contracts.wire import Timestamp, WireModel


class Person(WireModel):
    """A user as far as a mention shows them."""

    id: UserId
    name: str | None
    image: str | None


class MentionChannel(WireModel):
    """The channel of a mention."""

    id: ChannelId
    name: str | None


class ListedMention(WireModel):
    """A mention in one's inbox; its message stands beside it. `kind`: oneself, or everybody in the channel."""

    id: MentionId
    kind: Literal["user", "channel"]
    mentioned_at: Timestamp
    mentioner: Person
    channel: MentionChannel
    read: bool


class ShownMention(ListedMention):
    """A mention with its message."""

    message: ViewedMessage | HiddenMessage


class MentionPage(Page):
    """One's mentions, the newest first."""

    mentions: list[ShownMention]


class UnreadMentions(WireModel):
    """How many mentions are unread."""

    count: int


class Mentionable(WireModel):
    """Whom one may mention in a channel: members, and groups."""

    users: list[Person]
    groups: list[MentionGroup]
