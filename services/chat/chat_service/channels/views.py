"""Replies about channels that are more than the resource."""

from __future__ import annotations

from chat_service.paging import Page
from chatsdk_contracts.channels import Channel, Member
from chatsdk_contracts.wire import WireModel


class ChannelWithMembers(Channel):
    """A channel and its first hundred members; `GET .../members` lists them all."""

    members: list[Member]


class ChannelPage(Page):
    """A page of channels."""

    channels: list[Channel]


class MemberPage(Page):
    """A page of members."""

    members: list[Member]


class Added(WireModel):
    """Who is in the channel now of those who were to be added, and how many of them are new."""

    members: list[Member]
    added_count: int
