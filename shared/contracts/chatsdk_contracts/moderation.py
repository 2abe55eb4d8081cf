"""Moderation: reports, held messages, bans, and what shadow-banned users write.

Reports and bans are for servers; what happens to a held message is for its author's devices and for servers, so its
subject is the author. Nothing here tells a user that they are shadow-banned.
"""

from typing import Any, Literal

from pydantic import Field

from chatsdk_contracts.envelope import Audience, Event
from chatsdk_contracts.ids import ChannelId, MessageId, ReportId, UserId
from chatsdk_contracts.messages import Message
from chatsdk_contracts.wire import Timestamp, WireModel

ReportReason = Literal["harassment", "spam", "inappropriate", "violence", "hate_speech", "other"]


class Report(WireModel):
    """Who reported which message, and why."""

    report_id: ReportId
    message_id: MessageId
    channel_id: ChannelId
    reporter_id: UserId
    reason: ReportReason | str


class Ban(WireModel):
    """A ban from one channel, or from the app if `channel_id` is null; `expires_at` null means for good."""

    user_id: UserId
    channel_id: ChannelId | None = None
    banned_by: UserId | None = None
    reason: str | None = None
    shadow: bool = False
    expires_at: Timestamp | None = None
    created_at: Timestamp
    lifted_at: Timestamp | None = None


class ShadowedChange(WireModel):
    """Something that happened to a message which only its author sees, and the app's servers.

    `told` is the type of the event as which the author's devices hear of it, `data` that event's data.
    """

    channel_id: ChannelId
    user_id: UserId
    told: str
    data: dict[str, Any] = Field(default_factory=dict)


class MessageReported(Event):
    """A user reported a message."""

    audience = Audience.SERVER
    aggregate = "channels"
    type: Literal["message.reported"] = "message.reported"
    data: Report


class MessageShadowed(Event):
    """A shadow-banned user wrote or changed a message. A type of its own, which nobody takes for a message of all.

    It has its place in the channel's order; sockets of the author get the event that it stands for, others none.
    """

    audience = Audience.SERVER
    aggregate = "channels"
    type: Literal["message.shadowed"] = "message.shadowed"
    data: ShadowedChange


class MessageHeld(Event):
    """A message waits for a moderator; members do not see it yet."""

    audience = Audience.USER
    aggregate = "users"
    type: Literal["message.held"] = "message.held"
    data: Message


class MessageApproved(Event):
    """A held message was approved; `message.new` shows it to the members."""

    audience = Audience.USER
    aggregate = "users"
    type: Literal["message.approved"] = "message.approved"
    data: Message


class MessageRejected(Event):
    """A held message was rejected and is never sent."""

    audience = Audience.USER
    aggregate = "users"
    type: Literal["message.rejected"] = "message.rejected"
    data: Message


class UserBanned(Event):
    """A user was banned."""

    audience = Audience.SERVER
    aggregate = "users"
    type: Literal["user.banned"] = "user.banned"
    data: Ban


class UserUnbanned(Event):
    """A ban was lifted or ran out."""

    audience = Audience.SERVER
    aggregate = "users"
    type: Literal["user.unbanned"] = "user.unbanned"
    data: Ban
