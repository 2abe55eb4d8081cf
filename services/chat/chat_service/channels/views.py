"""Replies about channels that are more than the resource."""

from __future__ import annotations

from chat_service.paging import Page
from chatsdk_contracts.channels import Channel, ChannelRole, Member
from chatsdk_contracts.messages import HiddenMessage, Message
from chatsdk_contracts.wire import Timestamp, WireModel


class ViewedChannel(Channel):
    """A channel with what one user keeps about it; for who is not in it, and the app's servers, that is empty.

    `truncated_seq`: no message up to it is shown to this user. `unread_count` counts those behind it and the marker.
    """

    role: ChannelRole | str | None = None
    last_message: Message | HiddenMessage | None = None
    unread_count: int = 0
    last_read_seq: int = 0
    read_generation: int = 0
    muted: bool = False
    muted_until: Timestamp | None = None
    starred: bool = False
    hidden: bool = False
    truncated_seq: int = 0


class ChannelWithMembers(ViewedChannel):
    """A channel and its first hundred members; `GET .../members` lists them all."""

    members: list[Member]


class ChannelPage(Page):
    """A page of channels as one user sees them."""

    channels: list[ViewedChannel]


class OpenChannelPage(Page):
    """A page of channels that the caller is not in."""

    channels: list[Channel]


class MemberPage(Page):
    """A page of members."""

    members: list[Member]


class Added(WireModel):
    """Who is in the channel now of those who were to be added, and how many of them are new."""

    members: list[Member]
    added_count: int
