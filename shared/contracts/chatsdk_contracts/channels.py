"""Channels and their members: resources, and the events of their life.

`channel.*` and `member.updated` carry the whole resource; `user.joined` and `user.left` say who, in which role, by
whom and why, and are copied to the member's own routing key (`topology.copy_keys`).
"""

from typing import Literal

from pydantic import Field

from chatsdk_contracts.envelope import Audience, Event
from chatsdk_contracts.ids import ChannelId, UserId, WorkspaceId
from chatsdk_contracts.wire import SINCE, Custom, Timestamp, WireModel

ChannelType = Literal["messaging", "group", "team", "livestream", "public", "private"]
ChannelRole = Literal["owner", "admin", "moderator", "member"]
JoinReason = Literal["created", "joined", "added", "invited"]
LeaveReason = Literal["left", "removed", "banned", "deactivated"]


class ChannelConfig(WireModel):
    """What a channel allows. `slow_mode_s`: least seconds between two messages of a member, 0 for none;
    `max_message_length` in characters.
    """

    typing_events: bool = True
    read_events: bool = True
    reactions: bool = True
    replies: bool = True
    private: bool = False
    polls: bool = Field(default=True, json_schema_extra={SINCE: "0.2"})
    uploads: bool = Field(default=True, json_schema_extra={SINCE: "0.2"})
    quotes: bool = Field(default=True, json_schema_extra={SINCE: "0.2"})
    mentions: bool = Field(default=True, json_schema_extra={SINCE: "0.2"})
    slow_mode_s: int = Field(default=0, json_schema_extra={SINCE: "0.2"})
    max_message_length: int = Field(default=10_000, json_schema_extra={SINCE: "0.2"})
    link_previews: bool = Field(default=False, json_schema_extra={SINCE: "0.2"})


class Channel(WireModel):
    """A channel as everybody sees it. `last_seq` numbers its messages, `cv` every durable change, both dense."""

    id: ChannelId
    type: ChannelType | str
    name: str | None = None
    description: str | None = None
    image: str | None = None
    custom: Custom = Field(default_factory=dict)
    config: ChannelConfig = Field(default_factory=ChannelConfig)
    created_by: UserId | None = None
    workspace_id: WorkspaceId | None = None
    member_count: int = 0
    message_count: int = 0
    last_seq: int = 0
    cv: int = 0
    last_message_at: Timestamp | None = None
    frozen: bool = False
    created_at: Timestamp
    updated_at: Timestamp
    deleted_at: Timestamp | None = None


class ChangedChannel(Channel):
    """A channel and the names of the fields that changed."""

    changed: list[str]


class TruncatedChannel(Channel):
    """A channel whose messages up to and including `truncated_seq` are gone."""

    truncated_seq: int
    truncated_by: UserId | None = None


class Member(WireModel):
    """A user's place in a channel."""

    channel_id: ChannelId
    user_id: UserId
    role: ChannelRole | str
    joined_at: Timestamp


class ChangedMember(Member):
    """A member and the names of the fields that changed."""

    changed: list[str]


class Joined(WireModel):
    """Who came into a channel; `actor_id` is null when an app server did it for nobody in particular."""

    channel_id: ChannelId
    user_id: UserId
    role: ChannelRole | str
    actor_id: UserId | None = None
    reason: JoinReason | str


class Left(WireModel):
    """Who is no longer in a channel, with the role they had."""

    channel_id: ChannelId
    user_id: UserId
    role: ChannelRole | str
    actor_id: UserId | None = None
    reason: LeaveReason | str


class ChannelCreated(Event):
    """A channel was created; its first members follow as `user.joined`."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    type: Literal["channel.created"] = "channel.created"
    data: Channel


class ChannelUpdated(Event):
    """A channel's own fields changed (not its counters)."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    type: Literal["channel.updated"] = "channel.updated"
    data: ChangedChannel


class ChannelDeleted(Event):
    """A channel was deleted, with all its messages."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    type: Literal["channel.deleted"] = "channel.deleted"
    data: Channel


class ChannelTruncated(Event):
    """A channel's history was removed up to a message."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    type: Literal["channel.truncated"] = "channel.truncated"
    data: TruncatedChannel


class UserJoined(Event):
    """A user became a member of a channel."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    type: Literal["user.joined"] = "user.joined"
    data: Joined


class UserLeft(Event):
    """A user is no longer a member of a channel."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    type: Literal["user.left"] = "user.left"
    data: Left


class MemberUpdated(Event):
    """A member's role changed."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    type: Literal["member.updated"] = "member.updated"
    data: ChangedMember
